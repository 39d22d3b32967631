"""What can be used of damaged packs, put into a new one. Owns finding it; takes nothing away."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mvc.errors import IntegrityError, MvcError
from mvc.objects import ObjectId
from mvc.odb.database import ObjectDatabase
from mvc.odb.packs import Pack, Span, scan
from mvc.odb.stored import MAGIC, read_head
from mvc.storage import Storage


class Salvaged(NamedTuple):
    """Objects of one pack that are ``whole``, and those that are ``waiting``: kept as they are, and not to be proved
    before what they are stored as a difference from is back."""

    whole: frozenset[ObjectId]
    waiting: frozenset[ObjectId]


class _Entry(NamedTuple):
    """What may be an object: its id, the pack, and where its stored form lies in that."""

    object: ObjectId
    key: str
    span: Span


def salvage(database: ObjectDatabase, keys: Sequence[str]) -> dict[str, Salvaged]:
    """What these packs hold and is not damaged itself; all of it is stored, durably, without the packs on return.

    Objects are found by the heads of their entries, so that a pack's trailer may be lost, and by the trailer, so that
    those may be. From here on the database does without the packs: what one of them has may be damaged in another, or
    rest on what is there. Needs the repository's lock. Raises StorageError.
    """
    database.ignore(*keys)
    storage = database.storage
    pending = {entry: None for key in keys for entry in _entries(storage, key)}
    whole: list[_Entry] = []
    waiting: list[_Entry] = []
    with database.batch():
        progress = True
        while progress:  # an object may need another that lies behind it
            left: dict[_Entry, None] = {}
            for entry in pending:
                try:
                    database.adopt(entry.object, _stored(storage, entry))
                except IntegrityError:
                    left[entry] = None
                else:
                    whole.append(entry)
            progress, pending = len(left) < len(pending), left
        found = {entry.object for entry in whole}
        # looked at before any is stored: what waits for one that waits is not damaged either
        waiting += [
            entry
            for entry in pending
            if entry.object not in found and not any(_within(entry, other) for other in whole)
            if _waits(database, _stored(storage, entry))
        ]
        for entry in waiting:
            database.hold(entry.object, _stored(storage, entry))
    return {key: Salvaged(_objects(whole, key), _objects(waiting, key)) for key in keys}


def _entries(storage: Storage, key: str) -> Iterator[_Entry]:
    for object_id, span in scan(storage, key):
        if storage.get_range(key, span.offset, 4) == MAGIC:
            yield _Entry(object_id, key, span)
    with contextlib.suppress(IntegrityError):
        pack = Pack(storage, key)
        yield from (_Entry(object_id, key, pack.span(row)) for row, object_id in enumerate(pack.ids()))


def _stored(storage: Storage, entry: _Entry) -> bytes:
    return storage.get_range(entry.key, *entry.span)


def _objects(entries: Sequence[_Entry], key: str) -> frozenset[ObjectId]:
    return frozenset(entry.object for entry in entries if entry.key == key)


def _within(entry: _Entry, other: _Entry) -> bool:
    """Whether what looks like an entry is part of another one's bytes."""
    start, end = entry.span.offset, sum(entry.span)
    return entry.key == other.key and other.span.offset <= start and end <= sum(other.span)


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
