"""What the training's process tells the committing one, and what it is told: one line of JSON each. Owns their form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from mvc.porcelain.stamps import Stamp

#: the line after the last errand
END = b"\n"


@dataclass(frozen=True)
class _Line:
    def to_line(self) -> bytes:
        return json.dumps(asdict(self)).encode("ascii") + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Self:
        """Raises ValueError or TypeError for what `to_line` never writes."""
        value: dict[str, Any] = json.loads(line)
        return cls(**value)


@dataclass(frozen=True)
class Errand(_Line):
    """One checkpoint to commit. ``path`` is absolute; ``shown`` is what people know it by.

    ``stamp`` is the checkpoint's as it was handed over. ``recorded`` goes into the commit's facts instead of ``path``.
    ``scratch`` is a directory that holds this checkpoint alone and goes away when the errand is done. ``time`` is UTC,
    ISO 8601.
    """

    path: str
    shown: str
    time: str
    stamp: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)
    recorded: str | None = None
    scratch: str | None = None
    run: str | None = None
    step: float | None = None
    message: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def seen(self) -> Stamp:
        return {name: (size, time, inode) for name, (size, time, inode) in self.stamp.items()}


@dataclass(frozen=True)
class Outcome(_Line):
    """What became of an errand: a ``commit`` (``known``: it was there before), or the ``error`` with its hint."""

    commit: str | None = None
    lineage: str = ""
    position: int = 0
    known: bool = False
    error: str = ""
    hint: str = ""
    code: str = ""
