"""git's configuration files, read without git. Owns their syntax, as far as single settings need it; follows none of
their includes, and knows not which files there are. Format: https://git-scm.com/docs/git-config#_syntax
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_SECTION = re.compile(r'\[\s*([\w.-]+)\s*(?:"((?:[^"\\]|\\.)*)")?\s*\]')
#: of a value: what is in quotes, what is not, and a comment, which ends it
_PIECE = re.compile(r'"((?:[^"\\]|\\.)*)"?|((?:[^"\\#;]|\\.)+)|[#;].*')
_ESCAPED = {"n": "\n", "t": "\t", "b": "\b"}


def parse_settings(text: str) -> Mapping[str, str]:
    """``section.name`` or ``section.subsection.name`` → value, the last one; sections and names in lower case. What is
    no configuration gives what can be read of it."""
    found: dict[str, str] = {}
    section = ""
    for line in map(str.strip, re.sub(r"\\\r?\n", "", text).splitlines()):
        if head := _SECTION.match(line):
            section = head[1].lower() + ("" if head[2] is None else f".{_unescaped(head[2])}")
            line = line[head.end() :].strip()
        name, equals, value = line.partition("=")
        if name and name[0] not in "#;[":
            found[f"{section}.{name.strip().lower()}"] = _value(value) if equals else "true"
    return found


def _value(text: str) -> str:
    pieces = _PIECE.finditer(text.strip())
    return "".join(_unescaped(piece[1] if piece[1] is not None else piece[2] or "") for piece in pieces).strip()


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: _ESCAPED.get(match[1], match[1]), text)
