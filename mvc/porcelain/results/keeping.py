"""What the commands return that keep house."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BeforeAfter:
    before: int
    after: int


@dataclass(frozen=True)
class GcResult:
    """Objects that are ``kept``, of which ``resting`` only because others are stored as differences from them;
    ``young`` ones that nothing needs, but which are too new to go; ``removed`` ones, with their stored bytes;
    ``repacked``: how many were written again. ``files`` and ``bytes`` are those of the store."""

    dry_run: bool
    kept: int
    resting: int
    young: int
    removed: int
    removed_bytes: int
    repacked: int
    files: BeforeAfter
    bytes: BeforeAfter
