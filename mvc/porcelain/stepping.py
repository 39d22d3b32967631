"""Steps in the index: each point beside the one before it, judged for damage. Owns what is kept and judged again.

What a step tells of every tensor is kept, for it takes reading both checkpoints; a judgement is done again only where
something that it rests on changed. Rows are a function of the commits, like every inference.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mvc.drift.profiles import StepProfile
from mvc.errors import GoneError
from mvc.index import ArchitectureRow, Connection, FlagRow, Reader, StepRow, chunked, insert_rows
from mvc.objects import ObjectId
from mvc.porcelain.forest import read_tensors
from mvc.porcelain.inferred import Family, Understood
from mvc.porcelain.ledger import Ledger, Point, Standing, broken
from mvc.porcelain.progress import Report
from mvc.porcelain.seen import SeenSteps
from mvc.porcelain.signatures import read_signatures
from mvc.porcelain.understand import PLACELESS
from mvc.trajectory import lay_out
from mvc.trajectory.likeness import STRANGE, unlikeness

ReadTensor = Callable[[ObjectId], npt.NDArray[Any]]
#: relations of commits that are no step of training
NO_STEPS = frozenset({"copies", "mixes"})


def open_ledger(
    reader: Reader,
    architecture: ArchitectureRow,
    read: ReadTensor,
    held: OrderedDict[tuple[str, str], StepProfile] | None = None,
    seen: SeenSteps | None = None,
) -> Ledger:
    """What the index knows of the steps of an architecture. The ledger asks it as it is asked."""

    def find(content: str) -> Standing | None:
        return next((standing for _, standing in _standings(reader, [content])), None)

    def point(content: str) -> Point:
        tensors = dict(zip(names, read_tensors(reader, [content])[content], strict=True))
        return Point(content, tensors, lambda name: read(tensors[name]))

    def record(content: str) -> StepProfile | None:
        found = StepRow.pick(reader, "record", now=content, most=1)
        return StepProfile.unpack(names, found[0][0]) if found else None

    names = [name for name, _ in architecture.names]
    return Ledger(find, point, record, held, seen)


def judge_damage(
    connection: Connection, family: Family, understood: Understood, ledger: Ledger, report: Report
) -> Iterator[FlagRow]:
    """Flags of a family's points, judged along its lineages, each after the one that it forked from.

    Steps that are judged otherwise than the last time are written. Afterwards the ledger knows how all points stand.
    """
    if family.architecture.id in PLACELESS:
        return
    paths = paths_of(family, understood)
    origins = origins_of(family, understood)
    known = dict(_standings(connection, list(family.points)))
    # what was judged the last time is none of what it is judged by now
    ledger.standings |= dict.fromkeys(family.points)
    everyone = sorted(key for path in paths.values() for key in path)
    done = 0
    for lineage in _hosts_first(paths, origins):
        path = paths[lineage]
        previous = origins[lineage]
        if previous is None and path:
            others = [key for key in everyone if key not in path[:2]]
            previous = reference(connection, family.architecture, ledger.point(path[0]), path[1:2], others)
        for content in path:
            report(done, len(family.points), "looking for damage")
            done += 1
            if previous is not None:
                standing = _stand(connection, family.architecture, ledger, known.get(content), previous, content)
                ledger.standings[content] = standing
                yield from (FlagRow(row.id, rule) for row in family.points[content] for rule in standing.rules)
            previous = content
    stale = {content for content in known if (found := ledger.standing(content)) is None or not found.before}
    for piece in chunked(map(ObjectId, stale)):
        StepRow.clear(connection, StepRow.TABLE.c.now.in_(piece))


def paths_of(family: Family, understood: Understood) -> dict[ObjectId, list[str]]:
    """Lineage → contents in its order, without copies and averages: those are no steps of training."""
    content = {row.id: key for key, rows in family.points.items() for row in rows}
    paths: dict[ObjectId, dict[str, None]] = {lineage.id: {} for lineage in understood.lineages}
    for place in sorted(understood.placements, key=lambda place: place.position):
        key = content[place.commit]
        if place.relation not in NO_STEPS:
            paths[place.lineage].setdefault(key)
    return {lineage: list(path) for lineage, path in paths.items()}


def origins_of(family: Family, understood: Understood) -> dict[ObjectId, str | None]:
    """Lineage → content of the point that it forked from."""
    content = {row.id: key for key, rows in family.points.items() for row in rows}
    return {row.id: None if row.fork_commit is None else content[row.fork_commit] for row in understood.lineages}


def _hosts_first(paths: Mapping[ObjectId, Sequence[str]], origins: Mapping[ObjectId, str | None]) -> list[ObjectId]:
    """Lineages, each after that of its origin."""
    home = {key: lineage for lineage, path in paths.items() for key in path}
    ordered: dict[ObjectId, None] = {}
    for lineage in sorted(paths):
        line: list[ObjectId] = []
        at: ObjectId | None = lineage
        while at is not None and at not in ordered and at not in line:
            line.append(at)
            origin = origins[at]
            at = None if origin is None else home.get(origin)
        ordered |= dict.fromkeys(reversed(line))
    return list(ordered)


def reference(
    reader: Reader, architecture: ArchitectureRow, point: Point, following: Sequence[str], rest: Sequence[str]
) -> str | None:
    """What a lineage's first point is judged by: nothing, unless it is more like any of ``rest`` than like the next.

    Damage that upsets distances makes a checkpoint the start of a lineage, or of one that it stands in alone.
    """
    others = [*following, *rest]
    if not rest:
        return None
    tensors = read_tensors(reader, others)
    own = list(point.tensors.values())
    signatures = read_signatures(reader, {*own, *(tensor for ids in tensors.values() for tensor in ids)})

    def vector(ids: Sequence[ObjectId]) -> npt.NDArray[np.float32]:
        return np.concatenate([signatures[tensor].values for tensor in ids])

    blocks = lay_out([(name, shape) for name, shape in architecture.names])
    away = unlikeness(np.stack([vector(tensors[key]) for key in others]), vector(own), blocks).tolist()
    nearest = min(range(len(following), len(others)), key=lambda place: (away[place], others[place]))
    return others[nearest] if away[nearest] < min([STRANGE, *away[: len(following)]]) else None


def _stand(
    connection: Connection,
    architecture: ArchitectureRow,
    ledger: Ledger,
    known: Standing | None,
    previous: str,
    content: str,
) -> Standing:
    """How a point stands after ``previous``, judged again where what it rests on changed."""
    digest = ledger.digest(previous, content)
    if known is not None and known.judged == digest:
        return known
    if known is not None:
        # what was measured before is of use if only the past changed
        ledger.standings[content] = known
    point = ledger.point(content)
    try:
        before, findings = ledger.judge(previous, point)
        record = ledger.between(before, point).pack() if before else b""
    except GoneError:  # what would have to be read was given up: judged by nothing
        return Standing("", (), digest)
    StepRow.clear(connection, StepRow.TABLE.c.now == content)
    standing = Standing(before, broken(findings), digest)
    if before:
        row = StepRow(content, architecture.id, before, digest, ",".join(standing.rules), record)
        insert_rows(connection, [row])
    return standing


def _standings(reader: Reader, contents: Sequence[str]) -> Iterator[tuple[str, Standing]]:
    # records are long: each is read when it is asked for
    for piece in chunked(map(ObjectId, contents)):
        for now, before, rules, judged in StepRow.pick(reader, "now", "before", "rules", "judged", now=piece):
            yield now, Standing(before, tuple(filter(None, rules.split(","))), judged)
