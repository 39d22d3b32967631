"""From the commits of one architecture to its lineages. Owns the population that inference reads, and what is told.

A function of the set of commits, their declared facts and pins: neither the order in which they came nor the machine
matters. Reads signatures and, where those are sketches, tensors; writes nothing.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from mvc.geometry import Signature
from mvc.index import ArchitectureRow, CommitRow, FlagRow, LineageRow, PlacementRow
from mvc.objects import ObjectId
from mvc.porcelain.exact import ExactDistances, Pair, ReadArray
from mvc.porcelain.flags import Walk, find_flags
from mvc.porcelain.pins import anchored, insert_pinned
from mvc.trajectory import Block, Declared, Inference, Population, infer, lay_out

#: architectures of commits that are no point in weight space, and why
PLACELESS = {
    "none": "it has no trainable floating-point tensor",
    "damaged": "not everything it consists of can be read: run mvc fsck",
}


@dataclass(frozen=True)
class Basis:
    """All that one architecture's inference looks at. ``tensors``: content → ids in the architecture's order."""

    architecture: ArchitectureRow
    commits: Sequence[CommitRow]
    tensors: Mapping[str, Sequence[ObjectId]]
    pins: Mapping[ObjectId, ObjectId]

    def points(self) -> dict[str, list[CommitRow]]:
        """Content → its commits, by content; of equal weights the commit with the smallest manifest comes first."""
        found: dict[str, list[CommitRow]] = defaultdict(list)
        for row in sorted(self.commits, key=lambda row: (row.content, row.manifest, row.id)):
            found[row.content].append(row)
        return found

    def telling(self) -> list[int]:
        """Places of the tensors that differ between points; of all where most values are the same in every one.

        What every point shares is a constant buffer, which would fake kinship, or, where it is most of the model, a
        frozen backbone, which is kinship.
        """
        contents = list(self.tensors.values())
        sizes = [math.prod(shape) for _, shape in self.architecture.names]
        every = range(len(sizes))
        varying = [i for i in every if len({ids[i] for ids in contents}) > 1]
        return varying if 2 * sum(sizes[i] for i in varying) >= sum(sizes) else list(every)


@dataclass(frozen=True)
class Understood:
    """Lineages, as yet without names, everyone's place, broken rules, and the exact distances that were asked for."""

    lineages: tuple[LineageRow, ...]
    placements: tuple[PlacementRow, ...]
    flags: tuple[FlagRow, ...]
    warnings: tuple[str, ...]
    distances: Mapping[Pair, float]
    complete: bool = True


def not_understood(basis: Basis, why: str) -> Understood:
    """Every point on its own, with a warning that says why: a defect of inference, or damaged weights."""
    alone = _placeless(basis.points(), f"inference failed: {why}")
    warning = f"lineages of architecture {basis.architecture.id} could not be read from the weights: {why}"
    return replace(alone, warnings=(warning,), complete=False)


def understand(
    basis: Basis, signatures: Mapping[ObjectId, Signature], known: Mapping[Pair, float], read: ReadArray
) -> Understood:
    """Lineages of all commits. ``known`` are exact distances from earlier on, ``read`` gives a tensor's values."""
    points = basis.points()
    if basis.architecture.id in PLACELESS:
        return _placeless(points, PLACELESS[basis.architecture.id])
    keys = tuple(points)
    vectors, blocks = _vectors(basis, keys, signatures)
    sizes = {i: math.prod(basis.architecture.names[i][1]) for i in basis.telling()}
    distances = ExactDistances(keys, basis.tensors, sizes, signatures, known, read)
    declared = _declared(points)
    pins = anchored({row.id: row.content for row in basis.commits}, basis.pins)
    free = [i for i, key in enumerate(keys) if key not in pins]
    population = Population(
        keys=tuple(keys[i] for i in free),
        vectors=vectors[free],
        blocks=blocks,
        declared=tuple(declared[i] for i in free),
        distance=(lambda a, b: distances.between(free[a], free[b])) if distances.needed else None,
    )
    inference = infer(population)
    if pins:
        inference = insert_pinned(inference, free, keys, pins, vectors, declared)
    lineages, placements = _rows(basis, inference, keys, points, set(pins))
    flags = _flags(basis, lineages, placements, dict(zip(keys, vectors, strict=True)), signatures)
    warnings = tuple(_with_commits(text, points) for text in inference.warnings)
    return Understood(lineages, placements, flags, warnings, distances.asked)


def _vectors(
    basis: Basis, keys: Sequence[str], signatures: Mapping[ObjectId, Signature]
) -> tuple[npt.NDArray[np.float32], tuple[Block, ...]]:
    """Signatures [n, k] of the telling tensors, in sorted order of names, and where each one's columns are."""
    places = basis.telling()
    columns = [np.stack([signatures[basis.tensors[key][i]].values for key in keys]) for i in places]
    return np.concatenate(columns, axis=1), lay_out(
        [(name, shape) for name, shape in (basis.architecture.names[i] for i in places)]
    )


def _declared(points: Mapping[str, Sequence[CommitRow]]) -> list[Declared]:
    """What was said of each point. Of several commits with the same weights the first that says a thing counts."""
    content = {row.id: key for key, rows in points.items() for row in rows}
    found = []
    for key, rows in points.items():
        parents = [content[row.parent] for row in rows if row.parent in content and content[row.parent] != key]
        found.append(
            Declared(
                step=next((row.step for row in rows if row.step is not None), None),
                run=next((row.run for row in rows if row.run is not None), None),
                parent=parents[0] if parents else None,
            )
        )
    return found


def _rows(
    basis: Basis,
    inference: Inference,
    keys: Sequence[str],
    points: Mapping[str, Sequence[CommitRow]],
    pinned: set[str],
) -> tuple[tuple[LineageRow, ...], tuple[PlacementRow, ...]]:
    first = {key: rows[0].id for key, rows in points.items()}
    parents = {key: {row.parent for row in rows} for key, rows in points.items()}
    lineages, placements = [], []
    for lineage in inference.lineages:
        root, fork = first[keys[lineage.members[0]]], lineage.fork
        lineages.append(
            LineageRow(
                id=root,
                architecture=basis.architecture.id,
                name="",
                name_source="given",
                direction_confidence=float(lineage.direction.confidence),
                direction_source=lineage.direction.source,
                fork_commit=None if fork is None else first[keys[fork.parent]],
                fork_confidence=None if fork is None else float(fork.confidence),
                fork_runner_up=None if fork is None or fork.runner_up is None else first[keys[fork.runner_up]],
            )
        )
        position = 0
        for point in lineage.members:
            place = inference.placements[point]
            key = keys[point]
            parent = None if place.parent is None else keys[place.parent]
            told = parent is not None and bool(parents[key] & {row.id for row in points[parent]})
            by = "declared" if key in pinned or told else lineage.direction.source if position else "weights"
            evidence = {name: _plain(value, first) for name, value in place.evidence.items()} | {"source": by}
            row = PlacementRow(
                commit=first[key],
                lineage=root,
                position=position,
                relation=place.relation,
                parent=None if parent is None else first[parent],
                distance=_number(place.distance),
                turning_angle=_number(place.turning_angle),
                confidence=float(place.confidence),
                evidence=evidence,
            )
            placements.append(row)
            placements += [_copy(row, other.id, n) for n, other in enumerate(points[key][1:], start=1)]
            position += len(points[key])
    return tuple(lineages), tuple(placements)


def _flags(
    basis: Basis,
    lineages: Sequence[LineageRow],
    placements: Sequence[PlacementRow],
    vectors: Mapping[str, npt.NDArray[np.float32]],
    signatures: Mapping[ObjectId, Signature],
) -> tuple[FlagRow, ...]:
    content = {row.id: row.content for row in basis.commits}
    members: dict[ObjectId, list[ObjectId]] = defaultdict(list)
    for place in placements:
        members[place.lineage].append(place.commit)
    walks = [Walk(row.id, members[row.id], row.fork_commit) for row in lineages]
    broken = [
        commit for commit, key in content.items() if any(signatures[tensor].nonfinite for tensor in basis.tensors[key])
    ]
    return find_flags(walks, {commit: vectors[key] for commit, key in content.items()}, broken)


def _copy(row: PlacementRow, commit: ObjectId, number: int) -> PlacementRow:
    """Place of a commit that has the same weights as the one of ``row``."""
    return replace(
        row,
        commit=commit,
        position=row.position + number,
        relation="copies",
        parent=row.commit,
        distance=0.0,
        turning_angle=None,
        confidence=1.0,
        evidence={"source": "weights", "same_weights": row.commit},
    )


def _placeless(points: Mapping[str, Sequence[CommitRow]], reason: str) -> Understood:
    """Each on its own."""
    lineages, placements = [], []
    for rows in points.values():
        first = rows[0]
        lineages.append(LineageRow(first.id, first.architecture, "", "given", 0.5, "undecided", None, None, None))
        evidence = {"source": "weights", "reason": reason}
        row = PlacementRow(first.id, first.id, 0, "starts", None, None, None, 1.0, evidence)
        placements.append(row)
        placements += [_copy(row, other.id, n) for n, other in enumerate(rows[1:], start=1)]
    return Understood(tuple(lineages), tuple(placements), (), (), {})


def _with_commits(text: str, points: Mapping[str, Sequence[CommitRow]]) -> str:
    """A warning that names commits where inference named points by the first 12 digits of their content."""
    for key, rows in points.items():
        text = text.replace(key[:12], rows[0].id[:12])
    return text


def _plain(value: object, first: Mapping[str, ObjectId]) -> object:
    """Evidence as JSON: points as the ids of their commits, numbers that are finite."""
    if isinstance(value, str):
        return first.get(value, value)
    if isinstance(value, bool | None):
        return value
    if isinstance(value, int | float | np.number):
        return _number(float(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(item, first) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, first) for item in value]
    return str(value)


def _number(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
