"""Which engine inferred what the index holds. Owns the one comparison that says whether it has to be done again."""

from __future__ import annotations

from mvc.index import Stamp
from mvc.objects import ObjectId

#: changes whenever the same commits could be read otherwise than before; then everything is inferred again. After the
#: dot stands `mvc.geometry.VERSION`, which would take NumPy to ask for; a test sees to it
ENGINE = "8.1"


def stamp_of(head: ObjectId | None) -> Stamp:
    """Stamp of an index that reflects everything up to the operation ``head``."""
    return Stamp(ENGINE, head or "")


def is_current(stamp: Stamp | None, head: ObjectId | None) -> bool:
    return stamp == stamp_of(head)
