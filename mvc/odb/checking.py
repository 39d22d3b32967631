"""Whether what is stored is what was written. Owns looking at every stored form, in every place that has one.

A pack knows a checksum of each stored form that was proved, which is: decoded and hashed to its object's id, when it
was written. So whether it still is that object can be told as fast as it can be hashed. What has no checksum (files of
one object, packs of earlier versions, what was brought back and could not be proved) is decoded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain

from mvc.errors import IntegrityError, MvcError, NotFoundError
from mvc.objects import ObjectId
from mvc.odb.database import ObjectDatabase
from mvc.odb.lanes import Lanes
from mvc.odb.links import Link, link_of
from mvc.odb.loose import loose_key
from mvc.odb.packs import Pack
from mvc.odb.stored import kind_of, named
from mvc.odb.zstd import Buffer

#: bytes of a pack that are in memory while they are checked
_IN_MEMORY = 1 << 20


@dataclass(frozen=True, slots=True)
class Form:
    """One stored form of an object, and the key of the file that has it. ``error`` is what is wrong with it: with the
    form alone where it is ``proved`` by its checksum or not, else with what it rests on, too. ``link`` is None where
    its head is damaged."""

    key: str
    size: int
    link: Link | None
    proved: bool
    error: MvcError | None = None


def check_forms(
    database: ObjectDatabase, *, decode: bool, threaded: bool, told: Callable[[int, int | None], None]
) -> Mapping[ObjectId, list[Form]]:
    """Every stored form of every object, checked; decoded where it has no checksum, or all with ``decode``.

    Each is as good as the next: one of several may be damaged, or rest on what is not there. ``told`` is how many
    objects have been looked at, then how many of how many decoded. Takes no lock: packs that are replaced meanwhile are
    followed.
    """
    found: dict[ObjectId, list[Form]] = {}
    seen: set[str] = set()
    with Lanes(threaded=threaded) as lanes:
        while new := {key: pack for key, pack in database.packs.items() if key not in seen}:
            seen |= new.keys()
            for read in lanes.map(_check_run, _runs(new.values())):
                for object_id, form in read:
                    found.setdefault(object_id, []).append(form)
                told(len(found), None)
        for object_id in database.loose_ids():
            found.setdefault(object_id, []).append(_loose(database, object_id))
        told(len(found), None)
        undecoded = {one for one, forms in found.items() if decode or any(_undecoded(form) for form in forms)}
        groups = database.chains.grouped(sorted(undecoded))
        sizes = ((max(form.size for one in group for form in found[one]), group) for group in groups)
        task = partial(_decode_group, database, found, decode)
        done = 0
        for decoded in lanes.map(task, sizes):
            found.update(decoded)
            done += len(decoded)
            told(done, len(undecoded))
    return found


def _runs(packs: Iterable[Pack]) -> Iterator[tuple[int, tuple[Pack, range]]]:
    for pack in packs:
        for run in pack.runs():
            yield _IN_MEMORY, (pack, run)


def _check_run(task: tuple[Pack, range]) -> list[tuple[ObjectId, Form]]:
    pack, run = task
    try:
        return [(pack.id(row), _checked(pack, row, pieces)) for row, pieces in pack.read_run(run)]
    except NotFoundError:  # replaced: its objects are in another one
        return []
    except MvcError as error:
        if len(run) > 1:  # which of them it is
            return [one for at in run for one in _check_run((pack, range(at, at + 1)))]
        row = int(pack.by_offset[run[0]])
        return [(pack.id(row), Form(pack.key, pack.span(row).length, None, False, error))]


def _checked(pack: Pack, row: int, pieces: Iterator[Buffer]) -> Form:
    """What is to be said of a stored form."""
    size, start = pack.span(row).length, next(pieces)
    try:
        proved = pack.proved(row, chain((start,), pieces))
        link = link_of(start) or link_of(pack.read(pack.span(row)))
        if proved:
            _ = kind_of(link.header if link is not None else b"")
    except IntegrityError as error:
        return Form(pack.key, size, None, False, named(error, pack.id(row)))
    return Form(pack.key, size, link, proved)


def _loose(database: ObjectDatabase, object_id: ObjectId) -> Form:
    key = loose_key(object_id)
    try:
        stored = database.storage.get(key)
    except MvcError as error:
        return Form(key, 0, None, False, error)
    return Form(key, len(stored), link_of(stored), False)


def _undecoded(form: Form) -> bool:
    return not form.proved and form.error is None


def _decode_group(
    database: ObjectDatabase, found: Mapping[ObjectId, list[Form]], all_: bool, group: list[ObjectId]
) -> dict[ObjectId, list[Form]]:
    """Of objects that rest on each other, what decoding their forms shows."""
    return {
        object_id: [
            _decoded(database, object_id, form) if form.error is None and (all_ or not form.proved) else form
            for form in found[object_id]
        ]
        for object_id in group
    }


def _decoded(database: ObjectDatabase, object_id: ObjectId, form: Form) -> Form:
    try:
        database.verify(object_id, key=form.key)
    except MvcError as error:
        return replace(form, error=error)
    return form
