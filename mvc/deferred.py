"""Modules that are imported when something of them is first used. For those that take longer to import than the daily
commands take otherwise, in rooms that these commands pass through; refuses to be used for anything else.

    if TYPE_CHECKING:
        import numpy as np
    else:
        np = Deferred("numpy")
"""

from __future__ import annotations

import importlib
from typing import Any


class Deferred:
    """Stands for the module of this name."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        found = getattr(importlib.import_module(self._name), attribute)
        setattr(self, attribute, found)
        return found
