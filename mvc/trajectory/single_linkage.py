"""Single linkage of many points without all their distances: the minimum spanning tree of a million sketches.

Owns the search between groups of points (`grouping` makes them). The tree found is that of all pairs, no
approximation: what is guessed decides only how long it takes.

1. Points are put into compact groups, at best one for each run, each covered by small balls whose centres are points.
   Trees within groups are exact.
2. The nearest centres of two groups bound their distance from above. The tree of these bounds gives a path between any
   two groups, and an edge is needed only if it is lighter than the heaviest edge of a path between its ends.
3. The centres' distance less the radii bounds that of two balls from below. Nearly all pairs of balls are so ruled out:
   runs drift apart, and where they start and are near, steps are long and balls are single points. The rest is compared
   point by point.

Distances are bounded by products of matrices in single precision, with a margin for its rounding, and the weights of
all edges that are left are taken from differences in double precision.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mvc.trajectory.grouping import Groups, Reals, group_points
from mvc.trajectory.lengths import Singles, lengths
from mvc.trajectory.mst import Floats, Ints, components, leaf_order, minimum_spanning_tree, spanning_forest

#: groups at most: a matrix of their pairs is held, 2.5 GB
MOST_GROUPS = 25_000
#: points in a group to aim at
_GROUP = 20
#: error of a squared distance by products in single precision, relative to the squared norms, with room to spare
_SLACK = np.float32(1e-5)
#: values whose squared distances are well within single precision
_LARGEST = 1e16
#: candidate edges held before they are thinned to a forest
_HELD = 1 << 23
#: points that one group is compared with at once
_BLOCK = 1 << 14
#: nearest groups to which each group's distance is measured before the search
_NEAREST = 8
#: centres of a group by which the nearest groups are guessed
_FEW = 4
#: groups that are searched before what they found is looked at
_TURN = 64


@dataclass(frozen=True)
class SingleLinkage:
    """The minimum spanning tree as ``edges`` [n-1, 2] and ``weights`` [n-1], and what it took: ``groups`` of points,
    ``compared`` pairs of points of different groups, ``candidates`` for edges among them.
    """

    edges: Ints
    weights: Floats
    groups: int
    compared: int
    candidates: int

    def lineages(self, height: float) -> tuple[Ints, Ints, Floats]:
        """What is left when all edges longer than that are cut, and the tree of what is left.

        Label [n] of each point's lineage, by its smallest member; edges [l-1, 2] between lineages, and weights [l-1].
        """
        kept = int(np.searchsorted(self.weights, height, side="right"))
        labels = components(len(self.weights) + 1, self.edges[:kept])
        return labels, np.sort(labels[self.edges[kept:]], axis=1), self.weights[kept:]


def single_linkage(points: Singles, *, groups: int | None = None, threads: int = 1) -> SingleLinkage:
    """The exact minimum spanning tree of points float32 [n, k] under Euclidean distance.

    About ``groups`` groups are made and ``threads`` used, which does not change the result. Points that are equal are
    joined to the first of them by edges of weight zero, as the order of edges by weight and indices demands; where
    edges between different points have exactly equal weight, either may be taken. Raises ValueError on values that are
    not finite or so large that their squares would not be.
    """
    if not (np.abs(points) < _LARGEST).all():
        raise ValueError(f"values must be finite and below {_LARGEST:g}")
    first, of = _distinct(points)
    copies = np.setdiff1d(np.arange(len(points)), first)
    found = _linked(points[first], groups or min(MOST_GROUPS, len(first) // _GROUP + 1), threads)
    repeated = np.stack([first[of[copies]], copies], axis=1)
    every = np.concatenate([first[found.edges], repeated]), np.append(found.weights, np.zeros(len(copies)))
    edges, weights = spanning_forest(len(points), *every)
    return SingleLinkage(edges, weights, found.groups, found.compared, found.candidates)


def _distinct(points: Singles) -> tuple[Ints, Ints]:
    """Indices of the first of each set of equal points, rising, and for each point [n] which of these it equals."""
    rows = np.ascontiguousarray(points + np.float32(0))  # adding zero makes -0 into 0
    whole = rows.view(np.dtype((np.void, rows.itemsize * rows.shape[1])))[:, 0]
    _, first, of = np.unique(whole, return_index=True, return_inverse=True)
    return np.sort(first), np.argsort(np.argsort(first))[of]


def _linked(points: Singles, most: int, threads: int) -> SingleLinkage:
    groups = group_points(points, most)
    edges, weights = groups.edges, groups.weights
    search = _Search(points, groups)
    held = [np.empty((0, 2), dtype=np.intp)]
    compared = candidates = waiting = 0
    count = len(groups.heights)
    with ThreadPoolExecutor(threads) as pool:
        for turn in range(0, count, _TURN):
            for found, pairs in pool.map(search.at, range(turn, min(turn + _TURN, count))):
                held.append(found)
                compared += pairs
                candidates += len(found)
                waiting += len(found)
            if waiting > _HELD or turn + _TURN >= count:
                new = np.concatenate(held)
                every = np.concatenate([edges, new]), np.append(weights, lengths(points, new))
                edges, weights = spanning_forest(len(points), *every)
                held, waiting = [], 0
    return SingleLinkage(edges, weights, count, compared, candidates)


class _Search:
    """Bounds on the distances of groups, and the pairs of points that may be edges between two of them.

    Arrays of rows hold coordinates and two more columns, for 1 and a squared norm, so that products with their
    counterparts are squared distances.
    """

    def __init__(self, points: Singles, groups: Groups) -> None:
        self.points = points
        self.groups = groups
        self.home = np.repeat(np.arange(len(groups.heights)), np.diff(groups.starts))  # group of each row
        self.rows = np.ones((len(points), points.shape[1] + 2), dtype=np.float32)
        self.rows[:, :-2] = points[groups.members]
        self.mean = points.mean(axis=0, dtype=np.float64).astype(np.float32)
        above = self._tightened(self._above())
        # a path through a group may use its heaviest edge
        heights = (groups.heights * (1 + _SLACK)).astype(np.float32)
        np.maximum(above, heights[:, None], out=above)
        np.maximum(above, heights, out=above)
        self.order, self.gaps = leaf_order(*minimum_spanning_tree(above))
        first = np.searchsorted(groups.balls, groups.starts)
        self.balls, self.ball_place = _ranges(first[self.order], first[self.order + 1])
        self.first_ball = np.append(0, np.cumsum(np.diff(first)[self.order]))
        self.radii = (groups.radii[self.balls] * (1 + _SLACK)).astype(np.float32)
        self.left, self.right = _factors(self.rows[groups.balls[self.balls], :-2] - self.mean, 1 - _SLACK)

    def _above(self) -> Singles:
        """Upper bounds [g, g] on the distance of every two groups: the nearest of a few centres of their balls."""
        first = np.searchsorted(self.groups.balls, self.groups.starts)
        sizes = np.minimum(np.diff(first), _FEW)
        some, which = _ranges(np.zeros_like(sizes), sizes)
        chosen = first[which] + some * np.diff(first)[which] // sizes[which]
        starts = np.append(0, np.cumsum(sizes))
        left, right = _factors(self.rows[self.groups.balls[chosen], :-2] - self.mean, 1 + _SLACK)
        above = np.empty((len(sizes), len(sizes)), dtype=np.float32)
        for group, (start, stop) in enumerate(pairwise(starts)):
            nearest = (left[start:stop] @ right[:, start:]).min(axis=0)
            nearest = np.minimum.reduceat(nearest, starts[group:-1] - start)
            above[group, group:] = above[group:, group] = np.sqrt(np.maximum(nearest, 0))
        return above

    def _tightened(self, above: Singles) -> Singles:
        """The upper bounds of the pairs that matter most made exact: shorter detours rule out more."""
        home = np.empty_like(self.home)
        home[self.groups.members] = self.home
        starts = self.groups.starts
        for group, row in enumerate(above):
            others = np.sort(np.argpartition(row, min(_NEAREST, len(row) - 1))[: _NEAREST + 1])
            others = others[others != group]
            rows, which = _ranges(starts[others], starts[others + 1])
            pairs = self.candidates(group, rows, row[others][which])
            other = home[pairs[:, 1]]
            exact = (lengths(self.points, pairs) * (1 + _SLACK)).astype(np.float32)
            np.minimum.at(above[group], other, exact)
            np.minimum.at(above[:, group], other, exact)
        return above

    def at(self, place: int) -> tuple[Ints, int]:
        """Candidates between the group at this place and those after it, and the number of points compared."""
        detours = np.maximum.accumulate(self.gaps[place:])
        own = slice(self.first_ball[place], self.first_ball[place + 1])
        after = slice(own.stop, None)
        apart = self.left[own] @ self.right[:, after]
        np.sqrt(np.maximum(apart, 0, out=apart), out=apart)
        apart -= self.radii[own, None]
        limits = detours[self.ball_place[after] - place - 1]
        near = np.flatnonzero(apart.min(axis=0) <= limits + self.radii[after])
        balls = self.balls[after][near]
        rows, which = _ranges(self.groups.balls[balls], self.groups.balls[balls + 1])
        group = int(self.order[place])
        size = int(self.groups.starts[group + 1] - self.groups.starts[group])
        return self.candidates(group, rows, limits[near][which]), size * len(rows)

    def candidates(self, group: int, rows: Ints, limits: Reals) -> Ints:
        """Pairs of points [m, 2] of a group and of these rows that may be edges of the tree, up to limits [rows].

        Between two groups these are the shortest, and those shorter than the heaviest edge within either. Rows of
        one group stand together.
        """
        heights, starts, members = self.groups.heights, self.groups.starts, self.groups.members
        mine = self.rows[starts[group] : starts[group + 1]].copy()
        origin = mine[0, :-2].copy()  # near groups keep their digits around a point of one of them
        mine[:, :-2] -= origin
        mine[:, -2] = np.einsum("ij,ij->i", mine[:, :-2], mine[:, :-2])
        widest = mine[:, -2].max()
        mine[:, :-2] *= -2
        found = [np.empty((0, 2), dtype=np.intp)]
        for at in range(0, len(rows), _BLOCK):
            some = rows[at : at + _BLOCK]
            theirs = self.rows[some]
            theirs[:, :-2] -= origin
            norms = theirs[:, -1] = np.einsum("ij,ij->i", theirs[:, :-2], theirs[:, :-2])
            squares = mine @ theirs.T
            nearest = squares.min(axis=0)
            homes = self.home[some]
            begins = np.flatnonzero(np.diff(homes, prepend=-1))
            shortest = np.repeat(np.minimum.reduceat(nearest, begins), np.diff(begins, append=len(some)))
            most = np.maximum(shortest, np.maximum(heights[group], heights[homes]) ** 2)
            most = np.minimum(most, limits[at : at + _BLOCK] ** 2) + 2 * _SLACK * (widest + norms)
            close = np.flatnonzero(nearest <= most)
            left, right = np.nonzero(squares[:, close] <= most[close])
            found.append(np.stack([members[starts[group] + left], members[some[close[right]]]], axis=1))
        return np.concatenate(found)


def _factors(points: Singles, scale: np.float32) -> tuple[Singles, Singles]:
    """Matrices [n, k + 2] and [k + 2, n] whose product is the squared distances, squared norms times that scale."""
    norms = np.einsum("ij,ij->i", points, points)[:, None] * scale
    ones = np.ones_like(norms)
    return np.hstack([-2 * points, norms, ones]), np.ascontiguousarray(np.hstack([points, ones, norms]).T)


def _ranges(starts: Ints, stops: Ints) -> tuple[Ints, Ints]:
    """All whole numbers from each start up to its stop, and which range each is of."""
    sizes = stops - starts
    which = np.repeat(np.arange(len(sizes)), sizes)
    return np.arange(len(which)) + (starts - (np.cumsum(sizes) - sizes))[which], which
