"""Which points of a family are weighted averages of others. Owns the decision which of them is the average.

Where a point is an average of others, each of these is a combination of it and the rest too: of a = (x + y) / 2 it
also holds that x = 2a - y. What tells them apart is noise. A trained point has noise of its own, which stays whatever
other single point is forgotten: it is about as far from what all others span as its nearest neighbour is, or as
independent steps to all its neighbours would put it. An average has no noise but its sources', so forgetting one of
these leaves it that source's share alone. The point of which least is left is the average; of equals the one with the
simpler weights, so that averages win over extrapolations. Neighbours are relative ones (Toussaint 1980): nobody is
nearer to both.

A function of the set of points: the order of indices breaks ties, and nothing else does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from mvc.trajectory.inference import Leaves, Merge, Rounding
from mvc.trajectory.mixtures import (
    Mixture,
    coordinates,
    find_sources,
    judge_sources,
    sum_to_one_least_squares,
    weigh_sources,
)
from mvc.trajectory.mst import Ints
from mvc.trajectory.ordering import squared_distances

#: a point is looked at if it is off the others' span by so little beside its norm, or beside its nearest neighbour as
#: the upper quarter of the points are; or if there are so few that nothing can be said of the rest
_NEAR, _ODD, _FEW = 1e-5, 0.4, 24
#: candidates for the sources of one point
_CANDIDATES = 192
#: points that are fitted by all others at once; where there are more, the nearest stand for them
_SOLVED, _AROUND = 2048, 64
#: what rounding to a narrow dtype leaves at most, beside the norm
_NARROW = 3e-3
#: odds that a point is the average: the power to which its rival leaves more
_ODDS = 4
#: how much more the values may leave than their sketches say, and what single precision leaves beside the norm
_TIMES, _SINGLE = 1.5, 1e-6


@dataclass(frozen=True)
class _Claim:
    """``left``: what forgetting any one source leaves of the point, at most, beside what a trained one would have."""

    mixture: Mixture
    left: float


def find_merges(
    vectors: npt.NDArray[np.floating], *, rounding: Rounding | None = None, leaves: Leaves | None = None
) -> tuple[Merge, ...]:
    """Points of ``vectors`` [n, k] that are averages of others, all sources among them, by index.

    ``rounding`` gives the norm of the error that a point's own dtype made; ``leaves``, where vectors are sketches, the
    norm of what an average of sources leaves of a point's own values.
    """
    family = _Family(vectors, rounding, leaves)
    claims: dict[int, _Claim] = {}
    waiting, asked = family.suspects(), set[int]()
    while waiting:
        point = waiting.pop()
        asked.add(point)
        if (claim := family.claim(point)) is not None:
            claims[point] = claim
            # whoever explains a suspect may be the average itself
            waiting += [source for source in claim.mixture.sources if source not in asked and source not in waiting]
    taken: dict[int, _Claim] = {}
    sure: dict[int, float] = {}
    while claims:
        point = min(claims, key=lambda i: (claims[i].left, i))
        best = taken[point] = claims.pop(point)
        rivals = [claims[i].left for i in best.mixture.sources if i in claims]
        sure[point] = _surer(best, min(rivals, default=math.inf))
        family.alive[point] = False
        # the others may have leant on it
        for other in [i for i in claims if point in claims[i].mixture.sources]:
            again = family.claim(other)
            if again is None:
                del claims[other]
            else:
                claims[other] = again
    merges = []
    for point in sorted(taken):
        mixture = (family.claim(point) or taken[point]).mixture
        merges.append(Merge(point, mixture.sources, mixture.weights, mixture.residual, sure[point], mixture.unique))
    return tuple(merges)


def _surer(claim: _Claim, rival: float) -> float:
    odds = math.inf if claim.left <= 0 else (rival / claim.left) ** _ODDS
    return round(min(claim.mixture.confidence, 1.0 - 1.0 / (1.0 + odds)), 4)


class _Family:
    """Points that are asked one by one whether they are an average of those that are still ``alive``."""

    def __init__(self, vectors: npt.NDArray[np.floating], rounding: Rounding | None, leaves: Leaves | None) -> None:
        self._vectors, self._rounding, self._leaves = vectors, rounding, leaves
        self._roundings: dict[int, float] = {}
        self._squares = squared_distances(vectors.astype(np.float64))
        n, k = vectors.shape
        #: where every point is a suspect: the same points in as few dimensions as there are points
        self._spanned = coordinates(vectors) if 3 <= n <= min(_FEW, k // 4) else None
        self.alive = np.ones(len(vectors), dtype=bool)

    def suspects(self) -> list[int]:
        n, k = self._vectors.shape
        if n < 3:
            return []
        if n <= _FEW:
            return list(range(n))
        nearest = np.sqrt(np.where(np.eye(n, dtype=bool), np.inf, self._squares).min(axis=1))
        if n <= min(_SOLVED, 3 * k // 4):
            points = self._vectors.astype(np.float64)
            gaps = sum_to_one_least_squares(points, points[0]).gaps
        else:
            gaps = np.array([self._gap(point) for point in range(n)])
        shares = np.divide(gaps, nearest, out=np.ones(n), where=nearest > 0)
        odd = shares < _ODD * np.quantile(shares, 0.75)
        return [int(i) for i in np.flatnonzero(odd | (gaps < _NEAR * np.linalg.norm(self._vectors, axis=1)))]

    def _gap(self, point: int) -> float:
        """Distance of the point from what its neighbours span."""
        k = self._vectors.shape[1]
        near = np.argsort(self._squares[point], kind="stable")
        near = near[near != point][: max(2, min(_AROUND, k // 4))]
        return sum_to_one_least_squares(
            self._vectors[near].astype(np.float64), self._vectors[point].astype(np.float64)
        ).residual

    def claim(self, point: int) -> _Claim | None:
        """How the point is an average of the others that are alive, with no source missing."""
        others = np.flatnonzero(self.alive & (np.arange(len(self.alive)) != point))
        target = self._vectors[point]
        known = self._vectors[others]
        if self._spanned is not None and not self._may_be_average(point, others):
            return None
        found = find_sources(known, target, _CANDIDATES)
        if found is None:
            return None
        mixture = judge_sources(found, known, target)
        norm = float(np.linalg.norm(target))
        if (mixture is None or mixture.incomplete) and found.fit.residual < _NARROW * norm:
            mixture = judge_sources(found, known, target, rounding=self._rounded(point))
        if mixture is None or mixture.incomplete:
            return None
        mixture = replace(mixture, sources=tuple(int(others[i]) for i in mixture.sources))
        if self._leaves is not None:
            rest = self._leaves(point, mixture.sources, mixture.weights)
            if rest > _TIMES * mixture.residual + _SINGLE * norm:
                return None
        weights = np.abs(found.fit.weights)
        reach = [self._reach(point, int(others[source])) for source in found.sources]
        left = max(a / b if b > 0 else 0.0 for a, b in zip((weights * found.gaps).tolist(), reach, strict=True))
        return _Claim(mixture, left * math.sqrt(float(weights.sum())))

    def _may_be_average(self, point: int, others: Ints) -> bool:
        """The same question in few dimensions, where it takes a fraction of the time; most points are no averages."""
        assert self._spanned is not None
        norm = float(np.linalg.norm(self._vectors[point]))
        known, target = self._spanned[others], self._spanned[point]
        found = find_sources(known, target, _CANDIDATES, spanned=(self._vectors.shape[1], norm))
        if found is None:
            return False
        mixture = weigh_sources(found, norm)
        if (mixture is None or mixture.incomplete) and found.fit.residual < _NARROW * norm:
            mixture = weigh_sources(found, norm, rounding=self._rounded(point))
        return mixture is not None and not mixture.incomplete

    def _rounded(self, point: int) -> float:
        """Norm of the error that the point's own dtype made."""
        if point not in self._roundings:
            self._roundings[point] = 0.0 if self._rounding is None else self._rounding(point)
        return self._roundings[point]

    def _reach(self, point: int, forgotten: int) -> float:
        """How far off the others' span a trained point would be in this place: between two guesses.

        The distance of its nearest neighbour, and where independent steps to its relative neighbours would put it.
        """
        there = self.alive.copy()
        there[[point, forgotten]] = False
        near = np.argsort(np.where(there, self._squares[point], np.inf), kind="stable")[: min(_AROUND, there.sum())]
        away = self._squares[point, near]
        if not len(away) or away[0] <= 0:
            return 0.0
        nearer = (away[None, :] < away[:, None]) & (self._squares[np.ix_(near, near)] < away[:, None])
        np.fill_diagonal(nearer, False)
        steps = 1.0 / float((1.0 / away[~nearer.any(axis=1)]).sum())
        return float((away[0] * steps) ** 0.25)
