"""What a check of a repository finds, and who is to blame: what cannot be read for want of another object is not
damaged itself. Owns the vocabulary of `fsck`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from mvc.errors import MvcError
from mvc.objects import ObjectId
from mvc.odb import ObjectDatabase

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
    """``ok``: nothing is missing or wrong. ``objects``: how many were read and hashed."""

    ok: bool
    objects: int
    findings: tuple[Finding, ...]


def culprits(odb: ObjectDatabase, object_id: ObjectId, failing: Collection[ObjectId]) -> frozenset[ObjectId]:
    """Why an object, one of those ``failing``, cannot be read: the farthest objects that it rests on, however far
    below, that are missing or fail by themselves. Empty where it fails by itself."""
    found: set[ObjectId] = set()
    seen: set[ObjectId] = set()
    pending = [object_id]
    while pending:
        at = pending.pop()
        if at in seen:
            continue
        seen.add(at)
        below = [base for base in _bases(odb, at) if base in failing or not odb.contains(base)]
        pending += below
        if not below:
            found.add(at)
    return frozenset(found - {object_id})


def _bases(odb: ObjectDatabase, object_id: ObjectId) -> tuple[ObjectId, ...]:
    try:
        return odb.bases_of(object_id)
    except MvcError:
        return ()
