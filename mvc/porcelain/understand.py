"""From the commits of one family to its lineages. Owns the population that inference reads, and what is told.

A function of the family's commits, their declared facts and pins: neither the order in which they came nor the machine
matters. Reads signatures and, where those are sketches, tensors; writes nothing.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mvc.geometry import Signature
from mvc.index import ArchitectureRow, FlagRow, LineageRow, MixtureRow, PlacementRow, WalkRow
from mvc.objects import ObjectId
from mvc.porcelain.averages import residual, rounding
from mvc.porcelain.engine import ENGINE
from mvc.porcelain.exact import ExactDistances, Pair, ReadArray
from mvc.porcelain.flags import NOT_FINITE, walk_of
from mvc.porcelain.pins import insert_pinned
from mvc.trajectory import Block, Declared, Inference, Population, infer_family, lay_out

#: architectures of commits that are no point in weight space, and why
PLACELESS = {
    "none": "it has no trainable floating-point tensor",
    "damaged": "not everything it consists of can be read: run mvc fsck",
}


class Told(NamedTuple):
    """What inference knows of a commit beside its weights."""

    content: str
    manifest: str
    id: ObjectId
    step: float | None
    run: str | None
    parent: ObjectId | None


@dataclass(frozen=True)
class Family:
    """All that the inference of one family looks at, but the weights, which contents stand for.

    ``points``: content → its commits, by content; of equal weights the commit with the smallest manifest comes first.
    ``pins``: pinned content → that of its anchor. ``telling``: places of tensors in the architecture. ``links``
    [n, 2]: sigmas and cosine of the strongest link of every point that is not pinned.
    """

    architecture: ArchitectureRow
    points: Mapping[str, Sequence[Told]]
    pins: Mapping[str, str]
    telling: Sequence[int]
    links: npt.NDArray[np.float64]

    @property
    def id(self) -> str:
        return min(self.points)

    @property
    def digest(self) -> str:
        """Digest of everything here, and of the engine."""
        told = (ENGINE, self.architecture.id, list(self.telling), sorted(self.pins.items()), self.links.tolist())
        rows = "".join(
            f"\n{row.id} {row.content} {row.manifest} {row.step!r} {row.parent} {row.run!r}"
            for rows in self.points.values()
            for row in rows
        )
        return hashlib.blake2b(f"{told}{rows}".encode(), digest_size=32).hexdigest()


@dataclass(frozen=True)
class Understood:
    """Lineages, as yet without names, everyone's place, their walks, values that are not finite, warnings, and the
    exact distances that were asked for. ``mixtures``: a row for each source of a commit that is an average of others.
    """

    lineages: tuple[LineageRow, ...]
    placements: tuple[PlacementRow, ...]
    walks: tuple[WalkRow, ...]
    flags: tuple[FlagRow, ...]
    warnings: tuple[str, ...]
    distances: Mapping[Pair, float]
    mixtures: tuple[MixtureRow, ...] = ()
    complete: bool = True


def not_understood(family: Family, why: str) -> Understood:
    """Every point on its own, with a warning that says why: a defect of inference, or damaged weights."""
    alone = _placeless(family, f"inference failed: {why}")
    warning = f"lineages of architecture {family.architecture.id} could not be read from the weights: {why}"
    return replace(alone, warnings=(warning,), complete=False)


def understand(
    family: Family,
    tensors: Mapping[str, Sequence[ObjectId]],
    signatures: Mapping[ObjectId, Signature],
    known: Mapping[Pair, float],
    read: ReadArray,
) -> Understood:
    """Lineages of a family. ``tensors``: content → ids in the architecture's order, all with ``signatures``.

    ``known`` are exact distances from earlier on, ``read`` gives a tensor's values.
    """
    if family.architecture.id in PLACELESS:
        return _placeless(family, PLACELESS[family.architecture.id])
    keys = tuple(family.points)
    vectors, blocks = _vectors(family, keys, tensors, signatures)
    sizes = {i: math.prod(family.architecture.names[i][1]) for i in family.telling}
    distances = ExactDistances(keys, tensors, sizes, signatures, known, read)
    declared = declared_of(family.points)
    free = [i for i, key in enumerate(keys) if key not in family.pins]
    # the smallest tensors first: they are enough to say that a model went through no narrow dtype
    order = sorted(sizes, key=lambda i: (sizes[i], i))
    parts = [[tensors[key][i] for i in order] for key in keys]

    def leaves(point: int, sources: Sequence[int], weights: Sequence[float]) -> float:
        values = [lambda place, source=source: read(parts[source][place]) for source in sources]
        return residual(parts[point], read, values, weights)[0]

    population = Population(
        keys=keys,
        vectors=vectors,
        blocks=blocks,
        declared=tuple(declared),
        distance=distances.between if distances.needed else None,
        rounding=lambda point: rounding(parts[point], read),
        leaves=leaves if distances.needed else None,
    )
    inference = infer_family(population.of_points(free), family.links)
    if family.pins:
        inference = insert_pinned(inference, free, keys, family.pins, vectors, declared)
    lineages, placements = _rows(family, inference, keys)
    walks = _walks(family, lineages, placements, dict(zip(keys, vectors, strict=True)))
    flags = tuple(
        FlagRow(row.id, NOT_FINITE)
        for key in keys
        if any(signatures[tensor].nonfinite for tensor in tensors[key])
        for row in family.points[key]
    )
    warnings = tuple(_with_commits(text, family.points) for text in inference.warnings)
    return Understood(lineages, placements, walks, flags, warnings, distances.asked, _mixtures(family, inference, keys))


def _vectors(
    family: Family,
    keys: Sequence[str],
    tensors: Mapping[str, Sequence[ObjectId]],
    signatures: Mapping[ObjectId, Signature],
) -> tuple[npt.NDArray[np.float32], tuple[Block, ...]]:
    """Signatures [n, k] of the telling tensors, in sorted order of names, and where each one's columns are."""
    columns = [np.stack([signatures[tensors[key][i]].values for key in keys]) for i in family.telling]
    return np.concatenate(columns, axis=1), lay_out(
        [(name, shape) for name, shape in (family.architecture.names[i] for i in family.telling)]
    )


def declared_of(points: Mapping[str, Sequence[Told]]) -> list[Declared]:
    """What was said of each point. Of several commits with the same weights the first that says a thing counts."""
    named = {row.parent for rows in points.values() for row in rows if row.parent is not None}
    content = {row.id: key for key, rows in points.items() for row in rows if row.id in named}
    nothing = Declared()
    found = []
    for key, rows in points.items():
        if all(row.step is None and row.run is None and row.parent is None for row in rows):
            found.append(nothing)
            continue
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
    family: Family, inference: Inference, keys: Sequence[str]
) -> tuple[tuple[LineageRow, ...], tuple[PlacementRow, ...]]:
    points = family.points
    first = {key: rows[0].id for key, rows in points.items()}
    parents = {key: {row.parent for row in rows} for key, rows in points.items()}
    lineages, placements = [], []
    for lineage in inference.lineages:
        root, fork = first[keys[lineage.members[0]]], lineage.fork
        lineages.append(
            LineageRow(
                id=root,
                architecture=family.architecture.id,
                family=family.id,
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
            by = "declared" if key in family.pins or told else lineage.direction.source if position else "weights"
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


def _mixtures(family: Family, inference: Inference, keys: Sequence[str]) -> tuple[MixtureRow, ...]:
    first = [family.points[key][0].id for key in keys]
    return tuple(
        MixtureRow(first[merge.point], first[source], float(weight))
        for merge in inference.merges
        for source, weight in zip(merge.sources, merge.weights, strict=True)
    )


def _walks(
    family: Family,
    lineages: Sequence[LineageRow],
    placements: Sequence[PlacementRow],
    vectors: Mapping[str, npt.NDArray[np.float32]],
) -> tuple[WalkRow, ...]:
    content = {row.id: key for key, rows in family.points.items() for row in rows}
    members: dict[ObjectId, list[ObjectId]] = defaultdict(list)
    for place in placements:
        members[place.lineage].append(place.commit)
    found = []
    for lineage in lineages:
        before = [] if lineage.fork_commit is None else [lineage.fork_commit]
        path = np.stack([vectors[content[commit]] for commit in (*before, *members[lineage.id])])
        found.append(walk_of(lineage, path))
    return tuple(row for row in found if row is not None)


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


def _placeless(family: Family, reason: str) -> Understood:
    """Each on its own."""
    lineages, placements = [], []
    for rows in family.points.values():
        first, source = rows[0].id, {"source": "weights", "reason": reason}
        architecture = family.architecture.id
        lineages.append(LineageRow(first, architecture, family.id, "", "given", 0.5, "undecided", None, None, None))
        row = PlacementRow(first, first, 0, "starts", None, None, None, 1.0, source)
        placements.append(row)
        placements += [_copy(row, other.id, n) for n, other in enumerate(rows[1:], start=1)]
    return Understood(tuple(lineages), tuple(placements), (), (), (), {})


def _with_commits(text: str, points: Mapping[str, Sequence[Told]]) -> str:
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
