"""What is remembered of commits whose tensors were given up. Owns writing it down from the index, and recalling it.

Only tensors that signatures do not hold exactly are ever given up, and what is no part of the point, such as optimizer
state: small tensors stay, so distances on them stay exact. Of the others the index has remembered what inference asks:
signatures, the exact distances it looked at, the steps it measured. All that goes into one object, so that an index
that is built anew places the commit where it stood.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Collection, Iterable, Iterator

import numpy as np
from sqlalchemy import Connection, or_, select

from mvc.errors import GoneError
from mvc.geometry import EXACT, VERSION, Signature, sign_tensor
from mvc.index import CommitRow, DistanceRow, PointRow, StepRow, chunked, insert_rows
from mvc.objects import Manifest, Memory, ObjectId, as_array
from mvc.porcelain.averages import rounding
from mvc.porcelain.exact import Pair
from mvc.porcelain.signatures import read_signatures
from mvc.repository import Repository

#: version of the sketch, numel, how many values are not finite, largest absolute value
_HEAD = struct.Struct("<IQQd")


def giveable(manifest: Manifest) -> dict[ObjectId, int]:
    """Tensors of a checkpoint that may be given up → their bytes."""
    entries = [entry for file in manifest.files for entry in file.tensors]
    small = {entry.object for entry in entries if entry.role == "weight" and entry.spec.numel <= EXACT}
    return {entry.object: entry.spec.nbytes for entry in entries if entry.object not in small}


def remember(
    connection: Connection,
    repository: Repository,
    commit: ObjectId,
    tensors: Collection[ObjectId],
    *,
    time: str,
    reason: str,
) -> Memory:
    """The memory of a commit that gives up ``tensors``; reads those. Raises IntegrityError."""
    [row] = CommitRow.select(connection, CommitRow.TABLE.c.id == commit)
    [point] = PointRow.select(connection, PointRow.TABLE.c.content == row.content)
    signatures = read_signatures(connection, [one for one in point.tensors if one in tensors])
    distance, step = DistanceRow.TABLE.c, StepRow.TABLE.c
    distances = DistanceRow.select(connection, or_(distance.a == row.content, distance.b == row.content))
    steps = StepRow.select(connection, or_(step.now == row.content, step.before == row.content))
    sizes = sorted((repository.odb.spec_of(one).numel, i, one) for i, one in enumerate(point.tensors))
    return Memory(
        commit=commit,
        time=time,
        reason=reason,
        tensors={one: _packed(signatures[one]) if one in signatures else None for one in sorted(tensors)},
        distances={f"{item.a} {item.b}": item.distance for item in distances},
        steps={item.now: _step(item) for item in steps},
        rounding=rounding([one for _, _, one in sizes], lambda one: as_array(*repository.tensor(one))),
    )


def sign(repository: Repository, tensor: ObjectId) -> Signature:
    """A stored tensor's signature, or the one that was remembered. Raises IntegrityError."""
    try:
        return sign_tensor(as_array(*repository.tensor(tensor)))
    except GoneError:
        for memory in repository.memories().values():
            packed = memory.tensors.get(tensor)
            if packed is not None and (found := _unpacked(packed)) is not None:
                return found
        raise


def recall_distances(repository: Repository, known: dict[Pair, float], contents: Collection[str]) -> dict[Pair, float]:
    """``known`` and what is remembered between points of these contents."""
    found: dict[Pair, float] = {}
    for memory in repository.memories().values():
        for pair, distance in memory.distances.items():
            a, _, b = pair.partition(" ")
            if a in contents and b in contents:
                found[a, b] = distance
    return found | known


def recall_steps(connection: Connection, repository: Repository) -> None:
    """Puts remembered steps into an index that lacks them."""
    steps = {now: step for memory in repository.memories().values() for now, step in memory.steps.items()}
    if not steps:
        return
    have = set(_present(connection, StepRow.TABLE.c.now, steps))
    points = {
        row.content: row
        for piece in chunked(ObjectId(now) for now in steps.keys() - have)
        for row in PointRow.select(connection, PointRow.TABLE.c.content.in_(piece))
    }
    befores = set(_present(connection, PointRow.TABLE.c.content, (step["before"] for step in steps.values())))
    rows = [
        StepRow(now, point.architecture, step["before"], step["judged"], step["rules"], _bytes(step["record"]))
        for now, point in sorted(points.items())
        if (step := steps[now])["before"] in befores
    ]
    insert_rows(connection, rows)


def _present(connection: Connection, column: object, values: Iterable[str]) -> Iterator[str]:
    for piece in chunked(ObjectId(value) for value in dict.fromkeys(values)):
        yield from (found for (found,) in connection.execute(select(column).where(column.in_(piece))))  # type: ignore[call-overload, attr-defined]


def _step(row: StepRow) -> dict[str, str]:
    record = base64.b64encode(row.record).decode("ascii")
    return {"before": row.before, "judged": row.judged, "rules": row.rules, "record": record}


def _bytes(text: str) -> bytes:
    return base64.b64decode(text)


def _packed(signature: Signature) -> str:
    head = _HEAD.pack(VERSION, signature.numel, signature.nonfinite, signature.max_abs)
    return base64.b64encode(head + signature.values.astype("<f4").tobytes()).decode("ascii")


def _unpacked(text: str) -> Signature | None:
    """None for one of another version of the sketch, which says nothing today."""
    data = _bytes(text)
    version, numel, nonfinite, max_abs = _HEAD.unpack_from(data)
    return (
        Signature(numel, nonfinite, max_abs, np.frombuffer(data, "<f4", offset=_HEAD.size))
        if version == VERSION
        else None
    )
