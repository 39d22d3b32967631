"""Compact groups of points for single linkage at scale. Owns the grouping and what is known of each group.

Nearly all checkpoints' nearest neighbours are of their own run, and a random partition into cells of nearest pivots
puts most of a run into one cell. The trees of three such partitions together are a fair guess at the minimum spanning
tree; its dendrogram, cut where its gaps are widest, gives the groups. Each is covered by a few small balls.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from mvc.trajectory.lengths import Singles, lengths
from mvc.trajectory.mst import Floats, Ints, components, leaf_order, spanning_forest

Reals = npt.NDArray[np.floating[Any]]

_PARTITIONS = 3
#: points in a cell on average, and at most
_CELL, _CELL_MOST = 512, 1024
#: points in a group at most
_GROUP_MOST = 256
#: radius of balls beside the distance of groups from each other, and points in a ball at least, on average
_RADIUS, _BALL = 0.15, 4
#: distances held at once
_HELD = 1 << 21
_BLOCK = 1 << 14


@dataclass(frozen=True)
class Groups:
    """g groups of n points, and balls that cover them.

    ``members`` [n] are the points by group and ball, ``starts`` [g+1] where each group begins in them. ``edges``
    [n-g, 2] and ``weights`` [n-g] are the minimum spanning trees within groups. Any two points of a group are joined by
    a path, not always within the group, whose edges are at most its ``heights`` [g] long. ``balls`` [b+1] is where
    each ball begins in ``members``, with its centre; ``radii`` [b]. No ball has points of two groups.
    """

    members: Ints
    starts: Ints
    edges: Ints
    weights: Floats
    heights: Floats
    balls: Ints
    radii: Floats


def group_points(points: Singles, most: int) -> Groups:
    """Groups of n different points float32 [n, k], about ``most`` of them, more if that would make them too large."""
    members, gaps = leaf_order(*_guess(points))
    starts = _cut(gaps, max(1, most * 4 // 5))
    group = np.empty(len(points), dtype=np.intp)
    group[members] = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    trees = [np.empty((0, 2), dtype=np.intp)]
    enough = (_RADIUS * np.median(gaps[starts[1:-1] - 1])) ** 2 if len(starts) > 2 else 0.0
    centre, reach = np.arange(len(points)), np.zeros(len(points))
    for chosen, inside, squares in _batches(points.astype(np.float64), members, starts):
        trees.append(_edges(chosen, inside, squares))
        place, far = _cover(squares, chosen.shape[1] // _BALL + 1, enough)
        centre[chosen[inside]] = np.take_along_axis(chosen, place, axis=1)[inside]
        reach[chosen[inside]] = far[inside]
    edges = np.concatenate(trees)
    weights = lengths(points, edges)
    heights = np.zeros(len(starts) - 1)
    np.maximum.at(heights, group[edges[:, 0]], weights)
    # a piece of a cluster may hang together by points outside of it
    gaps[starts[1:-1] - 1] = 0
    heights = np.minimum(heights, np.maximum.reduceat(np.append(gaps, 0), starts[:-1]))
    by_ball = np.lexsort((np.arange(len(points)) != centre, centre, group))
    balls = np.flatnonzero(np.diff(centre[by_ball], prepend=-1, append=-1))
    radii = np.sqrt(np.maximum.reduceat(reach[by_ball], balls[:-1]))
    return Groups(by_ball, starts, edges, weights, heights, balls, radii)


def _batches(points: Reals, members: Ints, starts: Ints) -> Iterator[tuple[Ints, npt.NDArray[np.bool_], Reals]]:
    """Parts of two and more points, many of similar size at a time: their points [g, s], which of these there are
    (others repeat the first one), and squared distances [g, s, s], in the precision of the points given.
    """
    sizes = np.diff(starts)
    parts = np.argsort(-sizes, kind="stable")
    at = 0
    while at < len(parts) and sizes[parts[at]] > 1:
        widest = int(sizes[parts[at]])
        batch = parts[at : at + max(1, _HELD // widest**2)]
        at += len(batch)
        inside = np.arange(widest) < sizes[batch, None]
        chosen = members[np.where(inside, starts[batch, None] + np.arange(widest), starts[batch, None])]
        yield chosen, inside, _squares(points[chosen])


def _squares(points: Reals) -> Reals:
    """Squared distances [g, s, s] of points [g, s, k] by matrix products, around each mean to keep their digits."""
    points = points - points.mean(axis=1, keepdims=True)
    norms = np.einsum("ijk,ijk->ij", points, points)
    squares: Reals = points @ points.transpose(0, 2, 1)
    squares *= -2
    squares += norms[:, :, None]
    squares += norms[:, None, :]
    return np.maximum(squares, 0, out=squares)


def _edges(chosen: Ints, inside: npt.NDArray[np.bool_], squares: Reals) -> Ints:
    """Prim's algorithm on g matrices [g, s, s] at once: the edges [m, 2] of all trees."""
    rows = np.arange(len(chosen))
    reach = np.where(inside, squares[:, 0], np.inf)
    source = np.zeros(chosen.shape, dtype=np.intp)
    outside = inside.copy()
    outside[:, 0] = False
    reach[:, 0] = np.inf
    for _ in range(chosen.shape[1] - 2):
        new = reach.argmin(axis=1)
        outside[rows, new] = False
        row = squares[rows, new]
        closer = (row < reach) & outside
        np.copyto(reach, row, where=closer)
        np.copyto(source, new[:, None], where=closer)
        reach[rows, new] = np.inf
    reached = inside.copy()
    reached[:, 0] = False
    return np.stack([np.take_along_axis(chosen, source, axis=1)[reached], chosen[reached]], axis=1)


def _cover(squares: Reals, most: int, enough: float) -> tuple[Ints, Reals]:
    """Balls for each of g parts by farthest-first traversal (Gonzalez 1985), until their squared radii are small enough
    or there are ``most``: the place [g, s] of each point's centre, and the squared distance [g, s] from it.
    """
    rows = np.arange(len(squares))
    reach = squares[:, 0].copy()
    centre = np.zeros(reach.shape, dtype=np.intp)
    for _ in range(most - 1):
        new = reach.argmax(axis=1)
        row = squares[rows, new]
        row[rows, new] = 0
        closer = (row < reach) & (reach[rows, new] > enough)[:, None]
        np.copyto(reach, row, where=closer)
        np.copyto(centre, new[:, None], where=closer)
    return centre, reach


def _guess(points: Singles) -> tuple[Ints, Floats]:
    """A spanning tree close to the minimum: the best of the cells' trees, and what joins them at infinite length."""
    n = len(points)
    rng = np.random.default_rng(0)
    found = [_edges(*batch) for _ in range(_PARTITIONS) for batch in _batches(points, *_cells(points, rng))]
    edges = np.concatenate([np.empty((0, 2), dtype=np.intp), *found])
    edges, weights = spanning_forest(n, edges, lengths(points, edges))
    _, apart = np.unique(components(n, edges), return_index=True)
    joins = np.stack([np.zeros(len(apart) - 1, dtype=np.intp), apart[1:]], axis=1)
    return np.concatenate([edges, joins]), np.append(weights, np.full(len(joins), np.inf))


def _cells(points: Singles, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Points by the nearest of some random ones: members [n], and starts [g+1] of parts that are not too long."""
    n = len(points)
    pivots = points[rng.choice(n, size=n // _CELL + 1, replace=False)]
    half = np.einsum("ij,ij->i", pivots, pivots) / 2
    cell = np.empty(n, dtype=np.intp)
    for at in range(0, n, _BLOCK // 8):
        products = points[at : at + _BLOCK // 8] @ pivots.T
        products -= half
        cell[at : at + _BLOCK // 8] = products.argmax(axis=1)
    members = np.argsort(cell, kind="stable")
    return members, _shortened(np.flatnonzero(np.diff(cell[members], prepend=-1, append=-1)), _CELL_MOST)


def _cut(gaps: Floats, count: int) -> Ints:
    """Starts [g+1] of the intervals that are left when n points in a row are cut at the widest of their n-1 gaps."""
    n = len(gaps) + 1
    count = min(count, n)
    widest = np.sort(np.argsort(-gaps, kind="stable")[: count - 1]) + 1
    return _shortened(np.concatenate([[0], widest, [n]]), _GROUP_MOST)


def _shortened(starts: Ints, most: int) -> Ints:
    """Intervals longer than ``most`` cut evenly."""
    cuts = [
        np.linspace(start, stop, -(-(stop - start) // most), endpoint=False).astype(np.intp)
        for start, stop in pairwise(starts)
        if stop - start > most
    ]
    return np.unique(np.concatenate([starts, *cuts]))
