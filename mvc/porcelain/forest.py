"""The forest of kinship in the index: kept and grown, one for each architecture. Owns when it can go on and when not.

The forest is a function of the points that it spans and of which tensors tell kin from strangers. So new points are
added to what is there, and pinned ones taken away; it is built anew where other tensors tell now.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mvc.index import ArchitectureRow, Connection, ForestRow, PointRow, Reader, UnitRow, chunked, insert_rows, select
from mvc.objects import ObjectId
from mvc.porcelain.signatures import read_signatures
from mvc.trajectory import Block, lay_out
from mvc.trajectory.kinship import Forest, Units, Yardstick, grow, prune, telling, varying

#: points whose signatures are held at once
_PORTION = 256


@dataclass(frozen=True)
class Kin:
    """The forest of the points ``keys``, and the places of the ``telling`` tensors among the architecture's names."""

    keys: tuple[str, ...]
    telling: tuple[int, ...]
    forest: Forest


def read_tensors(reader: Reader, contents: Sequence[str]) -> dict[str, Sequence[ObjectId]]:
    """Content → ids of its tensors in the architecture's order."""
    return {
        row.content: row.tensors
        for piece in chunked(map(ObjectId, contents))
        for row in PointRow.find(reader, content=piece)
    }


def bring_kin(
    connection: Connection, architecture: ArchitectureRow, contents: Sequence[str], pinned: Collection[str]
) -> Kin:
    """The forest of all points of an architecture, ``contents`` ascending, but for the ``pinned`` ones.

    Which tensors tell is a matter of all points, pinned or not.
    """
    blocks = lay_out([(name, shape) for name, shape in architecture.names])
    known = next(iter(ForestRow.select(connection, ForestRow.TABLE.c.architecture == architecture.id)), None)
    added = _without_unit(connection, architecture)
    fresh = set(added)
    there = [key for key in contents if key not in fresh]
    moving = set() if known is None else set(known.varying)
    # any point will do to compare the new ones with: what does not differ from one differs from none
    for vectors in _portions(connection, added, reference=(there or contents)[0]):
        moving |= {i for i, varies in enumerate(varying(vectors, blocks)) if varies}
    told = _telling(moving, blocks)
    yardstick = Yardstick.of(blocks[i] for i in told)
    spanned: list[str] = []
    forest = Forest.empty()
    if known is not None and told == _telling(set(known.varying), blocks):
        absent = set(known.absent)
        spanned = [key for key in there if key not in absent]
        forest = _read(known, yardstick)
    else:
        forget_kin(connection, architecture.id)
        known, added = None, list(contents)
    insert_rows(connection, _units(connection, architecture, added, yardstick))
    if not set(spanned).isdisjoint(pinned):
        forest, left = prune(forest, np.array([key not in pinned for key in spanned]))
        spanned = [spanned[i] for i in left]
    keys = tuple(key for key in contents if key not in pinned)
    new = np.array(sorted(set(range(len(keys))) - _places(spanned, keys)), dtype=np.intp)
    if len(new):
        forest = grow(forest, yardstick, _read_units(connection, architecture, keys, yardstick), new)
    kept = _row(architecture, moving, pinned, forest)
    if kept != known:
        ForestRow.clear(connection, ForestRow.TABLE.c.architecture == architecture.id)
        insert_rows(connection, [kept])
    return Kin(keys, told, forest)


def read_kin(connection: Connection, architecture: ArchitectureRow) -> Kin | None:
    """The forest as it was grown last; None where there is none."""
    row = next(iter(ForestRow.select(connection, ForestRow.TABLE.c.architecture == architecture.id)), None)
    if row is None:
        return None
    blocks = lay_out([(name, shape) for name, shape in architecture.names])
    told, absent = _telling(set(row.varying), blocks), set(row.absent)
    column = PointRow.TABLE.c
    keys = sorted(
        key for (key,) in connection.execute(select(column.content).where(column.architecture == row.architecture))
    )
    forest = _read(row, Yardstick.of(blocks[i] for i in told))
    return Kin(tuple(key for key in keys if key not in absent), told, forest)


def forget_kin(connection: Connection, architecture: str) -> None:
    """The next forest of this architecture is built anew."""
    for row in (UnitRow, ForestRow):
        row.clear(connection, row.TABLE.c.architecture == architecture)


def _without_unit(connection: Connection, architecture: ArchitectureRow) -> list[str]:
    """Contents of points that were not looked at yet, ascending."""
    point, unit = PointRow.TABLE.c, UnitRow.TABLE.c
    joined = PointRow.TABLE.outerjoin(UnitRow.TABLE, point.content == unit.content)
    where = (point.architecture == architecture.id, unit.content.is_(None))
    return sorted(key for (key,) in connection.execute(select(point.content).select_from(joined).where(*where)))


def read_patterns(
    connection: Connection, architecture: ArchitectureRow, contents: Sequence[str], names: Sequence[str]
) -> npt.NDArray[np.float32]:
    """Signatures [n, k] of these points and tensors, each tensor's up to its offset and scale, as kinship has them.

    Units hold the tensors that tell; one that does not is equal in all points of the architecture.
    """
    blocks = lay_out([(name, shape) for name, shape in architecture.names])
    row = ForestRow.select(connection, ForestRow.TABLE.c.architecture == architecture.id)[0]
    told = [blocks[i] for i in _telling(set(row.varying), blocks)]
    units = _read_units(connection, architecture, contents, Yardstick.of(told))
    columns, start = {}, 0
    for block in Yardstick.of(told).blocks:
        columns[block.name] = slice(start, start := start + block.stop - block.start - 1)
    place = {block.name: i for i, block in enumerate(blocks)}
    constant = {name: place[name] for name in names if name not in columns}
    tensors = read_tensors(connection, contents[:1])[contents[0]]
    known = read_signatures(connection, {tensors[i] for i in constant.values()})
    parts = [
        np.tile(known[tensors[constant[name]]].values, (len(contents), 1))
        if name in constant
        else np.pad(units[:, columns[name]], ((0, 0), (1, 0)))
        for name in names
    ]
    return np.concatenate(parts, axis=1).astype(np.float32)


def _telling(moving: Collection[int], blocks: Sequence[Block]) -> tuple[int, ...]:
    return tuple(telling(blocks, [i in moving for i in range(len(blocks))]))


def _places(some: Sequence[str], keys: Sequence[str]) -> set[int]:
    found = set(some)
    return {i for i, key in enumerate(keys) if key in found}


def _read_vectors(connection: Connection, contents: Sequence[str]) -> npt.NDArray[np.float32]:
    """Signatures [n, k] of these points of one architecture, all its tensors."""
    tensors = read_tensors(connection, contents)
    signatures = read_signatures(connection, {tensor for ids in tensors.values() for tensor in ids})
    return np.stack([np.concatenate([signatures[tensor].values for tensor in tensors[key]]) for key in contents])


def _portions(connection: Connection, keys: Sequence[str], reference: str) -> Iterator[npt.NDArray[np.float32]]:
    for start in range(0, len(keys), _PORTION):
        yield _read_vectors(connection, [reference, *keys[start : start + _PORTION]])


def _units(
    connection: Connection, architecture: ArchitectureRow, keys: Sequence[str], yardstick: Yardstick
) -> Iterator[UnitRow]:
    for start in range(0, len(keys), _PORTION):
        part = keys[start : start + _PORTION]
        rows = yardstick.units(_read_vectors(connection, part)).astype("<i2")
        yield from (UnitRow(key, architecture.id, row.tobytes()) for key, row in zip(part, rows, strict=True))


def _read_units(
    connection: Connection, architecture: ArchitectureRow, keys: Sequence[str], yardstick: Yardstick
) -> Units:
    """Units [n, k] in order of the keys."""
    column = UnitRow.TABLE.c
    query = select(column.content, column.unit).where(column.architecture == architecture.id)
    units: dict[str, bytes] = {}
    for piece in chunked(map(ObjectId, keys)):
        units |= map(tuple, connection.execute(query.where(column.content.in_(piece))))
    return np.frombuffer(b"".join(units[key] for key in keys), "<i2").reshape(len(keys), yardstick.columns)


def _row(architecture: ArchitectureRow, moving: Collection[int], absent: Collection[str], forest: Forest) -> ForestRow:
    return ForestRow(
        architecture.id,
        sorted(moving),
        sorted(absent),
        forest.edges.astype("<i4").tobytes(),
        forest.links.astype("<f8").tobytes(),
        forest.null.astype("<f8").tobytes(),
    )


def _read(row: ForestRow, yardstick: Yardstick) -> Forest:
    return Forest(
        np.frombuffer(row.edges, "<i4").reshape(-1, 2).astype(np.intp),
        np.frombuffer(row.links, "<f8"),
        np.frombuffer(row.nulls, "<f8"),
        yardstick.certain,
    )
