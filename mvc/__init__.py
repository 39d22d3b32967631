"""git for neural-network weights. ``mvc.Repository`` is everything that a script needs, ``mvc.Recorder``
what a training loop does.

Names are imported when they are first used: `import mvc` alone costs nothing, so that `mvc --help` does not either.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mvc.integrations.loops.recorder import Recorder
    from mvc.porcelain.facade import Repository

__all__ = ["Recorder", "Repository", "__version__", "errors"]

__version__: str


def __getattr__(name: str) -> Any:
    if name == "Repository":
        value: Any = importlib.import_module("mvc.porcelain.facade").Repository
    elif name == "Recorder":
        value = importlib.import_module("mvc.integrations.loops.recorder").Recorder
    elif name == "__version__":
        value = importlib.import_module("importlib.metadata").version("modelvc")
    elif name == "errors":
        value = importlib.import_module("mvc.errors")
    else:
        raise AttributeError(f"module 'mvc' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
