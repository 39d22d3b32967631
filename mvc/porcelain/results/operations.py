"""What `op log` and `undo` return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class OperationRow:
    """One change of the repository. ``changes`` say in words what ``commits``, ``removed``, ``tags`` and ``settings``
    say; a tag or setting that was removed is null."""

    id: str
    parents: tuple[str, ...]
    time: str
    author: str
    command: str
    changes: tuple[str, ...]
    commits: tuple[str, ...]
    removed: tuple[str, ...]
    tags: Mapping[str, str | None]
    settings: Mapping[str, str | None]


@dataclass(frozen=True)
class OpLogResult:
    """Newest first."""

    operations: tuple[OperationRow, ...]


@dataclass(frozen=True)
class UndoResult:
    """``undone`` was taken back by the new ``operation``."""

    undone: OperationRow
    operation: OperationRow
    warnings: tuple[str, ...] = ()
