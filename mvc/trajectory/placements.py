"""Where every point of a family stands, and by what evidence. Owns confidences; decides no lineage."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from mvc.trajectory.inference import Lineage, Placement, Population
from mvc.trajectory.kinship import SIGMAS
from mvc.trajectory.mst import Floats
from mvc.trajectory.ordering import squared_distances, swap_margins

#: disjoint parts of the weights that are asked whether they agree with the order
_PARTS = 8
#: what is read from weights is never quite sure
_SUREST = 0.9999


def placements_of(
    family: Population, vectors: Floats, squares: Floats, links: Floats, lineages: Sequence[Lineage]
) -> tuple[Placement, ...]:
    """Placements of a family's n points. ``links`` [n, 2]: sigmas and cosine of each one's strongest link."""
    home = np.empty(len(vectors), dtype=np.intp)
    for number, lineage in enumerate(lineages):
        home[list(lineage.members)] = number
    before: dict[int, int | None] = {}
    for lineage in lineages:
        before[lineage.members[0]] = lineage.fork.parent if lineage.fork else None
        before |= dict(zip(lineage.members[1:], lineage.members, strict=False))
    placements: dict[int, Placement] = {}
    for number, lineage in enumerate(lineages):
        agreement = _order_agreement(vectors[list(lineage.members)])
        for place, point in enumerate(lineage.members):
            parent = before[point]
            sigmas, cosine = (float(value) for value in links[point])
            evidence: dict[str, object] = {"order_agreement": round(agreement[place], 3)}
            if parent is None:
                alone = len(lineage.members) == 1
                sure = _logistic(SIGMAS - min(sigmas, SIGMAS)) if alone else lineage.direction.confidence
            else:
                evidence |= {"cosine": round(cosine, 4), "sigmas": round(sigmas, 1)}
                sure = _logistic(sigmas - SIGMAS) * (agreement[place] if place else 1.0)
            if place == 0 and lineage.fork is not None:
                sure = min(sure, lineage.fork.confidence)
                second = lineage.fork.runner_up
                evidence |= {"fork_runner_up": None if second is None else family.keys[second]}
            if len(lineages) > 1:
                rival = int(np.where(home == number, np.inf, squares[point]).argmin())
                evidence |= {"runner_up": family.keys[rival], "runner_up_distance": math.sqrt(squares[point, rival])}
            placements[point] = Placement(
                point=point,
                lineage=number,
                position=place,
                relation="extends" if place else "forks" if lineage.fork else "starts",
                parent=parent,
                distance=None if parent is None else _distance(family, squares, parent, point),
                turning_angle=_turning_angle(vectors, before, point),
                confidence=round(max(0.0, min(_SUREST, sure)), 4),
                evidence=evidence,
            )
    return tuple(placements[i] for i in range(len(vectors)))


def _order_agreement(path: Floats) -> list[float]:
    """For each point of an ordered path, the share of disjoint parts of the weights that keep it beside its neighbours.

    Parts are asked whether exchanging two neighbours would make the order worse; one point alone has nothing to agree.
    """
    n = len(path)
    if n < 3:
        return [1.0] * n
    votes = np.zeros(n - 1)
    for part in range(_PARTS):
        votes += swap_margins(squared_distances(path[:, part::_PARTS])) > 0
    share = (votes + 0.1) / (_PARTS + 0.2)  # never quite sure
    return [float(share[max(i - 1, 0) : i + 1].mean()) for i in range(n)]


def _distance(family: Population, squares: Floats, a: int, b: int) -> float:
    return math.sqrt(squares[a, b]) if family.distance is None else family.distance(min(a, b), max(a, b))


def _turning_angle(vectors: Floats, before: Mapping[int, int | None], point: int) -> float | None:
    """Angle in degrees between the step into ``point`` and the step before it, across forks too."""
    parent = before[point]
    grand = None if parent is None else before[parent]
    if parent is None or grand is None:
        return None
    step, last = vectors[point] - vectors[parent], vectors[parent] - vectors[grand]
    norms = math.sqrt(float(step @ step)) * math.sqrt(float(last @ last))
    return math.degrees(math.acos(max(-1.0, min(1.0, float(step @ last) / norms)))) if norms > 0 else None


def _logistic(sigmas: float) -> float:
    return 1.0 / (1.0 + math.exp(-1.5 * sigmas))
