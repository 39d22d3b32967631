"""The recorder that a trainer's callback has while it trains. Owns when one is made: a callback is made in every
process of a distributed training, and copied into others; a recorder belongs to one.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mvc.errors import MvcError
from mvc.integrations.loops.recorder import PathLike, Recorder
from mvc.repository import Repository as Store

__all__ = ["Opening", "PathLike"]


@dataclass(frozen=True)
class Opening:
    """How to make the recorder. Raises what opening the repository raises, in the process of rank 0: a mistake is to be
    known before the training, and other machines need not have the repository."""

    repository: PathLike
    options: Mapping[str, Any]

    def __post_init__(self) -> None:
        if os.environ.get("RANK", "0") == "0":
            Store.discover(Path(self.repository))

    def open(self, run: str | None) -> Recorder | None:
        """The recorder; None, with a warning, where the repository cannot be opened any more."""
        try:
            return Recorder(self.repository, run=run, **self.options)
        except MvcError as error:
            logging.getLogger("mvc").warning("mvc: nothing is committed: %s", error.message)
            return None
