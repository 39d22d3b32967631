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
    """Stands for a module, or for what has this ``name`` in it; a class among these only in annotations."""

    def __init__(self, module: str, name: str | None = None) -> None:
        self._module, self._name = module, name

    def __getattr__(self, attribute: str) -> Any:
        found = getattr(self._found(), attribute)
        setattr(self, attribute, found)
        return found

    def __call__(self, *args: Any, **more: Any) -> Any:
        return self._found()(*args, **more)

    def _found(self) -> Any:
        module = importlib.import_module(self._module)
        return module if self._name is None else getattr(module, self._name)
