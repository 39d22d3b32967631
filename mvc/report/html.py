"""One HTML file that needs nothing else. Owns how data gets into it unharmed and harmless.

A content security policy forbids every request and every script and style but the page's own, which it names by their
hashes; nothing evaluates text as code (Vega's expressions are interpreted, not compiled). Names from files are data in
a JSON block, in which no ``<`` stands, and the page shows them as text only.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from importlib import resources
from string import Template
from typing import Any

from mvc.escaping import escape
from mvc.report.charts import HEIGHTS, compiled
from mvc.report.data import ReportData
from mvc.report.library import library
from mvc.report.palette import LINEAGES

#: one script in the page
_SCRIPTS = ("words.js", "pictures.js", "commit.js", "whole.js")


def render(data: ReportData) -> bytes:
    """The page. Raises InputError where the extra is missing."""
    style = _read("report.css")
    script = f'(() => {{\n"use strict";\n{"".join(map(_read, _SCRIPTS))}}})();'
    vega = f"(() => {{{library().javascript_bundle()}}})();"
    policy = (
        f"default-src 'none'; script-src '{_hash(vega)}' '{_hash(script)}'; style-src '{_hash(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    content = {
        **_plain(data),
        "specs": {theme: compiled(theme) for theme in ("light", "dark")},
        "heights": HEIGHTS,
        "colours": LINEAGES,
    }
    page = Template(_read("report.html")).substitute(
        policy=policy,
        title=html.escape(f"{escape(data.head['name'])} · mvc report"),
        style=style,
        data=as_block(content),
        vega=vega,
        script=script,
    )
    return page.encode()


def as_block(value: Any) -> str:
    """JSON that can stand in a script element: ASCII, without any of ``<``, ``>`` and ``&``."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _plain(value: Any) -> Any:
    """JSON-able; what is not finite becomes null, what would not show becomes an escape; a message keeps its lines."""
    if isinstance(value, str):
        return "\n".join(map(escape, value.split("\n")))
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: _plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | range):
        return [_plain(item) for item in value]
    return value


def _read(name: str) -> str:
    return resources.files("mvc.report").joinpath("page", name).read_text("utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
