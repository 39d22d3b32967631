"""What an inference says, as rows of the index. Owns what a family is, and how points become commits again.

One point can be several commits with equal weights: the first stands where inference put it, the others are its copies.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mvc.index import ArchitectureRow, FlagRow, LineageRow, MixtureRow, PlacementRow
from mvc.objects import ObjectId
from mvc.porcelain.engine import ENGINE
from mvc.porcelain.exact import Pair
from mvc.porcelain.recasts import Recast, root_of
from mvc.trajectory import Inference


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
    """Lineages, as yet without names, everyone's place, values that are not finite, warnings, and the
    exact distances that were asked for. ``mixtures``: a row for each source of a commit that is an average of others.
    """

    lineages: tuple[LineageRow, ...]
    placements: tuple[PlacementRow, ...]
    flags: tuple[FlagRow, ...]
    warnings: tuple[str, ...]
    distances: Mapping[Pair, float]
    mixtures: tuple[MixtureRow, ...] = ()
    complete: bool = True


def rows_of(
    family: Family,
    inference: Inference,
    keys: Sequence[str],
    recasts: Mapping[str, tuple[Recast, float]] = MappingProxyType({}),
) -> tuple[tuple[LineageRow, ...], tuple[PlacementRow, ...]]:
    """Lineages and places of the points ``keys``, and of the others: copies in another precision, and how far those are
    from what they were made of."""
    points = family.points
    beside: dict[str, list[str]] = defaultdict(list)
    origins = {key: one for key, (one, _) in recasts.items()}
    for key in recasts:
        beside[root_of(origins, key)].append(key)
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
            for copy in beside[key]:
                recast, away = recasts[copy]
                placements += _recast(row, points[copy], position, first[recast.source], recast, away)
                position += len(points[copy])
    return tuple(lineages), tuple(placements)


def mixtures_of(family: Family, inference: Inference, keys: Sequence[str]) -> tuple[MixtureRow, ...]:
    first = [family.points[key][0].id for key in keys]
    return tuple(
        MixtureRow(first[merge.point], first[source], float(weight))
        for merge in inference.merges
        for source, weight in zip(merge.sources, merge.weights, strict=True)
    )


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


def _recast(
    row: PlacementRow, commits: Sequence[Told], position: int, source: ObjectId, recast: Recast, away: float
) -> Iterator[PlacementRow]:
    """Places of the commits of one copy in another precision, beside the original of ``row``."""
    evidence = {"source": "weights", "precision": recast.precision}
    one = replace(
        _copy(row, commits[0].id, 0), position=position, parent=source, distance=_number(away), evidence=evidence
    )
    yield one
    yield from (_copy(one, other.id, n) for n, other in enumerate(commits[1:], start=1))


def placeless(family: Family, reason: str) -> Understood:
    """Each on its own."""
    lineages, placements = [], []
    for rows in family.points.values():
        first, source = rows[0].id, {"source": "weights", "reason": reason}
        architecture = family.architecture.id
        lineages.append(LineageRow(first, architecture, family.id, "", "given", 0.5, "undecided", None, None, None))
        row = PlacementRow(first, first, 0, "starts", None, None, None, 1.0, source)
        placements.append(row)
        placements += [_copy(row, other.id, n) for n, other in enumerate(rows[1:], start=1)]
    return Understood(tuple(lineages), tuple(placements), (), (), {})


def with_commits(text: str, points: Mapping[str, Sequence[Told]]) -> str:
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
