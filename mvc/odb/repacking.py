"""Objects taken over into packs of `gc`. Owns their size, that each is proved whole on the way, and that a better form
is really better."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping

from mvc.errors import IntegrityError
from mvc.objects import ObjectId
from mvc.odb.database import ObjectDatabase
from mvc.odb.packing import PackWriter
from mvc.odb.packs import SETTLED, Pack
from mvc.odb.stored import parse_head

#: bytes at which the next pack is begun
PACK_SIZE = 1 << 30

#: another stored form of an object, if there is one to be tried
Better = Callable[[ObjectId], bytes | None]


def repack(
    database: ObjectDatabase,
    objects: Iterable[ObjectId],
    *,
    going: Container[ObjectId],
    better: Better,
    done: Callable[[int], None],
) -> Mapping[str, int]:
    """Writes objects into new packs, in this order; keys of the packs, all durable, and their sizes.

    Each is read and hashed, and what was written is read back. What rests on one that is ``going`` is given a form that
    does not. Nothing is taken away. Raises IntegrityError, StorageError: then nothing may be. Needs the repository's
    lock.
    """
    written: dict[str, int] = {}
    staying = AllBut(going)
    edges: dict[ObjectId, tuple[ObjectId, ...]] = {}
    writer = PackWriter(database.storage, flags=SETTLED)
    try:
        for count, object_id in enumerate(objects):
            done(count)
            stored = database.sound_form(object_id)
            if any(base in going for base in _bases(stored)):
                stored = database.rebased(object_id, staying)
                database.prove(object_id, stored)
            if database.doubled(object_id) and _circular(database, edges, object_id, stored):
                stored = database.rebased(object_id, ())
            edges[object_id] = _bases(stored)
            other = better(object_id)
            if other is not None and len(other) < len(stored) and _sound(database, edges, object_id, other, going):
                stored = other
                edges[object_id] = _bases(other)
            writer.append(object_id, (stored,))
            if writer.size >= PACK_SIZE:
                _finish(writer, written)
                writer = PackWriter(database.storage, flags=SETTLED)
        _finish(writer, written)
    except BaseException:
        writer.abandon()
        raise
    for key in written:
        Pack(database.storage, key).check()
    return written


class AllBut:
    """Every id but some. A container."""

    def __init__(self, some: Container[ObjectId]) -> None:
        self._some = some

    def __contains__(self, object_id: object) -> bool:
        return object_id not in self._some


def _finish(writer: PackWriter, written: dict[str, int]) -> None:
    key = writer.finish()
    if key is not None:
        written[key] = writer.size


def _sound(
    database: ObjectDatabase,
    edges: Mapping[ObjectId, tuple[ObjectId, ...]],
    object_id: ObjectId,
    stored: bytes,
    going: Container[ObjectId],
) -> bool:
    """Whether a form gives the object back, and rests on nothing that goes or rests on the object."""
    if any(base in going for base in _bases(stored)) or _circular(database, edges, object_id, stored):
        return False
    try:
        database.prove(object_id, stored)
    except IntegrityError:
        return False
    return True


def _circular(
    database: ObjectDatabase, edges: Mapping[ObjectId, tuple[ObjectId, ...]], object_id: ObjectId, stored: bytes
) -> bool:
    """Whether a form rests on what rests on the object, in its old form or its new one: until the old packs are gone
    either may be read, and afterwards the new ones have to do."""
    pending, seen = list(_bases(stored)), set()
    while pending:
        base = pending.pop()
        if base == object_id:
            return True
        if base not in seen:
            seen.add(base)
            pending += [*database.bases_of(base), *edges.get(base, ())]
    return False


def _bases(stored: bytes) -> tuple[ObjectId, ...]:
    head = parse_head(stored)
    return () if isinstance(head, int) else head.bases
