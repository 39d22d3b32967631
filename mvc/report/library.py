"""The chart library, where it is installed. Owns the one import and what is said where it is missing."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from mvc.errors import InputError


def library() -> Any:
    """The module vl_convert: Vega and Vega-Lite with their licences, offline. Raises InputError."""
    if importlib.util.find_spec("vl_convert") is None:
        raise InputError(
            "charts need vl-convert-python, which mvc does without otherwise",
            hint="run: pip install 'modelvc[report]'",
            code="missing-extra",
        )
    return importlib.import_module("vl_convert")
