"""What can be used of a damaged pack, put into a new one. Owns finding it; takes nothing away."""

from __future__ import annotations

from typing import NamedTuple

from mvc.errors import IntegrityError, MvcError
from mvc.objects import ObjectId
from mvc.odb.database import ObjectDatabase
from mvc.odb.packs import Span, scan
from mvc.odb.stored import MAGIC, read_head


class Salvaged(NamedTuple):
    """Objects that are ``whole``, and those that are ``waiting``: kept as they are, and not to be proved before what
    they are stored as a difference from is back."""

    whole: frozenset[ObjectId]
    waiting: frozenset[ObjectId]


def salvage(database: ObjectDatabase, key: str) -> Salvaged:
    """What the pack holds and is not damaged itself; all of it is stored, durably, without the pack on return.

    Objects are found by the heads of their entries, so that the pack's trailer may be lost. From here on the database
    does without the pack. Needs the repository's lock. Raises StorageError.
    """
    database.ignore(key)
    storage = database.storage
    pending = {item: None for item in scan(storage, key) if storage.get_range(key, item[1].offset, 4) == MAGIC}
    whole: dict[ObjectId, Span] = {}
    waiting: set[ObjectId] = set()
    with database.batch():
        progress = True
        while progress:  # an object may need another that lies behind it
            left: dict[tuple[ObjectId, Span], None] = {}
            for object_id, span in pending:
                try:
                    database.adopt(object_id, storage.get_range(key, span.offset, span.length))
                except IntegrityError:
                    left[object_id, span] = None
                else:
                    whole[object_id] = span
            progress, pending = len(left) < len(pending), left
        proved = tuple(whole.values())
        # looked at before any is stored: what waits for one that waits is not damaged either
        held = [
            (object_id, stored)
            for object_id, span in pending
            if object_id not in whole and not any(_within(span, other) for other in proved)
            for stored in [storage.get_range(key, span.offset, span.length)]
            if _waits(database, stored)
        ]
        for object_id, stored in held:
            database.hold(object_id, stored)
            waiting.add(object_id)
    return Salvaged(frozenset(whole), frozenset(waiting))


def _within(span: Span, other: Span) -> bool:
    """Whether what looks like an entry is part of another one's bytes."""
    return other.offset <= span.offset and span.offset + span.length <= other.offset + other.length


def _waits(database: ObjectDatabase, stored: bytes) -> bool:
    """Whether a stored form that cannot be proved has a sound head and lacks what it rests on."""
    try:
        head, _ = read_head(lambda length: stored[:length])
        _ = head.spec
    except IntegrityError:
        return False
    for base in head.bases:
        try:
            database.verify(base)
        except MvcError:
            return True
    return False
