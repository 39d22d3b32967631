"""The minimum spanning tree of a growing set of points. Owns the algorithm; knows nothing of models.

Every tree of some of the points holds all edges between them that a tree of more points can have (the cycle property),
so it stands for all their distances, and only those of the new points have to be looked at.
"""

from __future__ import annotations

import numpy as np

from mvc.trajectory.mst import Floats, Ints

#: rows, columns [c] (indices of points) and the weights [r, c] between them
Dense = tuple[Ints, Ints, Floats]
#: edges [m, 2], smaller index first, and weights [m]
Sparse = tuple[Ints, Floats]


def spanning_tree(n: int, sparse: Sparse, dense: Dense) -> Sparse:
    """Borůvka's algorithm on the edges of ``sparse`` and ``dense`` together: the minimum spanning forest of n points.

    Every component takes its lightest edge outward at once. Of equal weights the smaller pair of indices goes first,
    so the tree is a function of the weights. The weights of ``dense`` are overwritten. O(r c + n) time a round, and
    log n rounds at most; O(r c + n) memory.
    """
    edges, weights = sparse
    rows, columns, block = dense
    label = np.arange(n)
    found: list[Sparse] = []
    block[rows[:, None] == columns[None, :]] = np.inf
    while True:
        places = np.arange(len(columns)), np.arange(len(rows))
        down, across = block.argmin(axis=0), block.argmin(axis=1)
        ends = np.concatenate([edges, _pairs(rows[down], columns), _pairs(rows, columns[across])])
        heavy = np.concatenate([weights, block[down, places[0]], block[places[1], across]])
        ends, heavy = ends[np.isfinite(heavy)], heavy[np.isfinite(heavy)]
        if not len(heavy):
            break
        taken = _lightest(n, label, ends, heavy)
        found.append((ends[taken], heavy[taken]))
        label = _merged(n, label, ends[taken])
        outward = label[edges[:, 0]] != label[edges[:, 1]]
        edges, weights = edges[outward], weights[outward]
        block[label[rows][:, None] == label[columns][None, :]] = np.inf
    if not found:
        return sparse
    return np.concatenate([part for part, _ in found]), np.concatenate([part for _, part in found])


def _pairs(a: Ints, b: Ints) -> Ints:
    return np.stack([np.minimum(a, b), np.maximum(a, b)], axis=1)


def _lightest(n: int, label: Ints, ends: Ints, weights: Floats) -> Ints:
    """Places of the edges that are some component's lightest, each once."""
    best = np.full(n, np.inf)
    for side in (0, 1):
        np.minimum.at(best, label[ends[:, side]], weights)
    light = np.flatnonzero((weights == best[label[ends[:, 0]]]) | (weights == best[label[ends[:, 1]]]))
    # of equally light ones the smallest pair; an edge may be seen from both of its ends
    light = light[np.lexsort((ends[light, 1], ends[light, 0], weights[light]))]
    first = np.full(n, len(light))
    for side in (0, 1):
        owner = label[ends[light, side]]
        own = weights[light] == best[owner]
        np.minimum.at(first, owner[own], np.flatnonzero(own))
    taken = light[np.unique(first[first < len(light)])]
    pairs = ends[taken]
    once: Ints = taken[np.unique(pairs[:, 0] * n + pairs[:, 1], return_index=True)[1]]
    return once


def _merged(n: int, label: Ints, edges: Ints) -> Ints:
    """Labels after the components at both ends of these edges became one."""
    root = np.arange(n)
    while True:
        a, b = root[label[edges[:, 0]]], root[label[edges[:, 1]]]
        apart = a != b
        if not apart.any():
            merged: Ints = root[label]
            return merged
        np.minimum.at(root, np.maximum(a, b)[apart], np.minimum(a, b)[apart])
        while (root != root[root]).any():
            root = root[root]
