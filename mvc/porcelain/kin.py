"""Kinship in the index: the forest of an architecture's points, kept and grown. Owns when it can go on and when not.

The forest is a function of the points that it spans and of which tensors tell kin from strangers; so points are added
to what is there, and where one was taken away or other tensors tell now, it is built anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, select

from mvc.index import ArchitectureRow, ForestRow, PointRow, UnitRow, chunked, insert_rows
from mvc.objects import ObjectId
from mvc.porcelain.signatures import read_signatures
from mvc.trajectory import Block, lay_out
from mvc.trajectory.kinship import Forest, Units, Yardstick, grow, telling, varying

#: points whose signatures are held at once
_PORTION = 256


@dataclass(frozen=True)
class Kin:
    """The forest of the points ``keys``, and the places of the ``telling`` tensors among the architecture's names."""

    keys: tuple[str, ...]
    telling: tuple[int, ...]
    forest: Forest


def read_tensors(connection: Connection, contents: Sequence[str]) -> dict[str, Sequence[ObjectId]]:
    """Content → ids of its tensors in the architecture's order."""
    column = PointRow.TABLE.c.content
    return {
        row.content: row.tensors
        for piece in chunked(map(ObjectId, contents))
        for row in PointRow.select(connection, column.in_(piece))
    }


def read_vectors(connection: Connection, contents: Sequence[str]) -> npt.NDArray[np.float32]:
    """Signatures [n, k] of these points of one architecture, all its tensors."""
    tensors = read_tensors(connection, contents)
    signatures = read_signatures(connection, {tensor for ids in tensors.values() for tensor in ids})
    return np.stack([np.concatenate([signatures[tensor].values for tensor in tensors[key]]) for key in contents])


def bring_kin(connection: Connection, architecture: ArchitectureRow, keys: Sequence[str]) -> Kin:
    """The forest of exactly these points, ascending; it grows by those that are new."""
    blocks = lay_out([(name, shape) for name, shape in architecture.names])
    where = ForestRow.TABLE.c.architecture == architecture.id
    known = next(iter(ForestRow.select(connection, where)), None)
    column = UnitRow.TABLE.c
    there = {key for (key,) in connection.execute(select(column.content).where(column.architecture == architecture.id))}
    if known is None or not there <= set(keys):
        return _build(connection, architecture, keys, blocks)
    new = [key for key in keys if key not in there]
    told = tuple(telling(blocks, _flags(known.varying, blocks)))
    forest = _forest(known, Yardstick.of(blocks[i] for i in told))
    if not new:
        return Kin(tuple(keys), told, forest)
    # any point will do to compare the new ones with: what does not differ from one differs from none
    moving = set(known.varying)
    for vectors in _portions(connection, new, reference=min(there) if there else new[0]):
        moving |= {i for i, varies in enumerate(varying(vectors, blocks)) if varies}
    if tuple(telling(blocks, _flags(sorted(moving), blocks))) != told:
        return _build(connection, architecture, keys, blocks)
    return _grown(connection, architecture, keys, blocks, sorted(moving), forest)


def _build(connection: Connection, architecture: ArchitectureRow, keys: Sequence[str], blocks: Sequence[Block]) -> Kin:
    for row in (UnitRow, ForestRow):
        row.clear(connection, row.TABLE.c.architecture == architecture.id)
    moving: set[int] = set()
    for vectors in _portions(connection, keys, reference=keys[0]):
        moving |= {i for i, varies in enumerate(varying(vectors, blocks)) if varies}
    return _grown(connection, architecture, keys, blocks, sorted(moving), Forest.empty())


def _grown(
    connection: Connection,
    architecture: ArchitectureRow,
    keys: Sequence[str],
    blocks: Sequence[Block],
    moving: Sequence[int],
    forest: Forest,
) -> Kin:
    """Units and forest in the index, extended to all ``keys``."""
    told = tuple(telling(blocks, _flags(moving, blocks)))
    yardstick = Yardstick.of(blocks[i] for i in told)
    column = UnitRow.TABLE.c
    query = select(column.content, column.unit).where(column.architecture == architecture.id)
    units: dict[str, bytes] = dict(map(tuple, connection.execute(query)))
    new = [key for key in keys if key not in units]
    for start in range(0, len(new), _PORTION):
        part = new[start : start + _PORTION]
        rows = yardstick.units(read_vectors(connection, part)).astype("<i2")
        units |= {key: row.tobytes() for key, row in zip(part, rows, strict=True)}
    insert_rows(connection, [UnitRow(key, architecture.id, units[key]) for key in new])
    whole: Units = np.frombuffer(b"".join(units.pop(key) for key in keys), "<i2").reshape(len(keys), yardstick.columns)
    place = {key: i for i, key in enumerate(keys)}
    grown = grow(forest, yardstick, whole, np.array([place[key] for key in new], dtype=np.intp))
    ForestRow.clear(connection, ForestRow.TABLE.c.architecture == architecture.id)
    row = ForestRow(
        architecture.id,
        list(moving),
        grown.edges.astype("<i4").tobytes(),
        grown.links.astype("<f8").tobytes(),
        grown.null.astype("<f8").tobytes(),
    )
    insert_rows(connection, [row])
    return Kin(tuple(keys), told, grown)


def _portions(connection: Connection, keys: Sequence[str], reference: str) -> Iterator[npt.NDArray[np.float32]]:
    first = read_vectors(connection, [reference])
    for start in range(0, len(keys), _PORTION):
        yield np.concatenate([first, read_vectors(connection, keys[start : start + _PORTION])])


def _forest(row: ForestRow, yardstick: Yardstick) -> Forest:
    return Forest(
        np.frombuffer(row.edges, "<i4").reshape(-1, 2).astype(np.intp),
        np.frombuffer(row.links, "<f8"),
        np.frombuffer(row.nulls, "<f8"),
        yardstick.certain,
    )


def _flags(moving: Sequence[int], blocks: Sequence[Block]) -> list[bool]:
    found = set(moving)
    return [i in found for i in range(len(blocks))]
