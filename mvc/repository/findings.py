"""What a check of a repository finds. Owns the vocabulary of `fsck`."""

from __future__ import annotations

from dataclasses import dataclass

from mvc.objects import ObjectId

#: codes of findings that take nothing away from what is committed
INFORMATION = frozenset({"unreachable", "leftover"})


@dataclass(frozen=True, slots=True)
class Finding:
    """``code``: missing, damaged, malformed, bad-head, stray (a file that is no object), leftover (half-written),
    unreachable. ``object`` is an id, or the path of a pack or of what is no object, relative to ``.mvc``.

    ``repaired``: what was wrong is no longer. ``blocks`` are objects that rest on this one and cannot be read until it
    is back; ``commits`` are those that cannot be read whole for its want.
    """

    code: str
    object: str
    message: str
    repaired: bool = False
    blocks: tuple[ObjectId, ...] = ()
    commits: tuple[ObjectId, ...] = ()


@dataclass(frozen=True, slots=True)
class FsckReport:
    """``ok``: nothing is missing or wrong. ``objects``: how many were verified, all their bytes. Of these ``undecoded``
    were not decoded: they are what they were when their pack was written, and were proved to be their object then."""

    ok: bool
    objects: int
    undecoded: int
    findings: tuple[Finding, ...]
