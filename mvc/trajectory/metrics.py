"""The distance in which a family's checkpoints form trajectories. Owns its candidates and the choice between them.

Runs forked on the same data move alike: a checkpoint can be nearer to its contemporary in the run beside than to its
own predecessor, because the drift of one step outweighs the noise that tells the runs apart. So the drift is
discounted: the part of a displacement along the local direction of motion, the first principal direction of a point
and its nearest neighbours (local tangent spaces: Zhang & Zha 2004). Where training zigzags this direction is noise and
must count in full. And coordinates differ in how far a step moves them, the more so under SGD.

Which of these holds for a family is read from the tree itself: trajectories are paths, so of the spanning trees under
all candidate distances the one with the fewest leaves is the best account of the family.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mvc.trajectory.mst import Floats, Ints, minimum_spanning_tree
from mvc.trajectory.ordering import squared_distances

#: nearest neighbours that a local direction of motion is read from
NEIGHBOURS = 8
#: shares of the squared displacement along it that are counted
COUNTED = (1.0, 0.3, 0.1)
#: share of the mean squared step that is added to each coordinate's own before they are brought to one scale
_LEVEL = 0.3


@dataclass(frozen=True)
class SpanningTree:
    """A minimum spanning tree: ``edges`` [n-1, 2], ``weights`` [n-1], and the ``distances`` [n, n] it is minimal in."""

    edges: Ints
    weights: Floats
    distances: Floats

    @property
    def leaves(self) -> int:
        """Number of points with one neighbour."""
        return int((np.bincount(self.edges.ravel(), minlength=len(self.distances)) == 1).sum())


def trajectory_tree(vectors: Floats, squares: Floats) -> SpanningTree:
    """Spanning tree of n points [n, k], with these squared distances [n, n], in the metric that suits them best."""
    trees = [SpanningTree(*minimum_spanning_tree(distances), distances) for distances in candidates(vectors, squares)]
    return min(trees, key=lambda tree: tree.leaves)  # the first of equals, which is the plainest


def candidates(vectors: Floats, squares: Floats) -> Iterator[Floats]:
    """Distances [n, n] in every candidate metric, the plainest first; that one alone where points are few."""
    yield np.sqrt(squares)
    if len(vectors) < NEIGHBOURS + 1:
        return
    for points, apart in ((vectors, squares), _scaled(vectors, squares)):
        along = _along(points, apart)
        for counted in COUNTED:
            if counted < 1 or points is not vectors:
                yield np.sqrt(np.maximum(apart - (1 - counted) * along, 0.0))


def _scaled(vectors: Floats, squares: Floats) -> tuple[Floats, Floats]:
    """Points whose coordinates all step about as far, and their squared distances."""
    nearest = (squares + np.diag(np.full(len(squares), np.inf))).argmin(axis=1)
    steps = np.median((vectors - vectors[nearest]) ** 2, axis=0)
    level = _LEVEL * float(steps.mean())
    if level <= 0:
        return vectors, squares
    scaled = vectors / np.sqrt(steps + level)
    return scaled, squared_distances(scaled)


def _along(points: Floats, squares: Floats) -> Floats:
    """Squared part of each displacement that lies along the local directions of its two ends, on average, [n, n]."""
    near = np.argsort(squares, axis=1, kind="stable")[:, : NEIGHBOURS + 1]
    directions = np.stack([_direction(points[some]) for some in near])
    reach = points @ directions.T
    part = (reach - np.diag(reach)[None, :]) ** 2
    return (part + part.T) / 2


def _direction(points: Floats) -> Floats:
    """First principal direction [k] of m points [m, k], of unit length; zero where they coincide."""
    centred = points - points.mean(axis=0)
    values, axes = np.linalg.eigh(centred @ centred.T)
    if values[-1] <= 0:
        return np.zeros(points.shape[1])
    result: Floats = (axes[:, -1] @ centred) / np.sqrt(values[-1])
    return result
