"""Exact minimum spanning trees and single linkage: from all distances, from a list of edges, and point by point.

Knows nothing of models. Edges are compared by weight, then by the smaller pair of indices. That is a total order, so
the tree is unique: whichever of the three ways made it, the tree is the same, and a function of the distances alone.
Lists of edges are in that order, the smaller index of each edge first.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]


def minimum_spanning_tree(distances: npt.NDArray[np.floating[Any]]) -> tuple[Ints, Floats]:
    """Prim's algorithm on a dense matrix [n, n]: edges [n-1, 2] and weights [n-1].

    O(n²) time, O(n) memory beside the matrix.
    """
    n = len(distances)
    if n < 2:
        return np.empty((0, 2), dtype=np.intp), np.empty(0)
    reach = distances[0].astype(np.float64)
    source = np.zeros(n, dtype=np.intp)
    outside = np.ones(n, dtype=bool)
    outside[0] = False
    edges = np.empty((n - 1, 2), dtype=np.intp)
    weights = np.empty(n - 1)
    for step in range(n - 1):
        open_reach = np.where(outside, reach, np.inf)
        new = int(open_reach.argmin())
        tied = np.flatnonzero(open_reach == reach[new])
        if len(tied) > 1:
            _, _, new = min((min(int(source[i]), i), max(int(source[i]), i), i) for i in tied.tolist())
        edges[step] = sorted((int(source[new]), new))
        weights[step] = reach[new]
        outside[new] = False
        row = distances[new]
        closer = outside & ((row < reach) | ((row == reach) & (new < source)))
        reach[closer] = row[closer]
        source[closer] = new
    order = _canonical(edges, weights)
    return edges[order], weights[order]


def spanning_forest(n: int, edges: Ints, weights: Floats) -> tuple[Ints, Floats]:
    """Minimum spanning forest of n vertices and edges [m, 2] in any order, repeated ones allowed; weights [m].

    Borůvka's algorithm (1926) on whole arrays: O((m + n) log n) time at most.
    """
    edges = np.sort(edges, axis=1)
    order = _canonical(edges, weights)
    kept = order[_boruvka(n, edges[order])[0]]
    return edges[kept], weights[kept]


def insert(edges: Ints, weights: Floats, distances: Floats, at: int | None = None) -> tuple[Ints, Floats]:
    """The minimum spanning tree of n + 1 points from that of n, in O(n) memory and nearly O(n) time.

    ``edges`` [n-1, 2] and ``weights`` [n-1] as this module gives them, ``distances`` [n] of the new point to the old
    ones. It gets index ``at`` (n if not given), and those from there on move up by one; a caller that keeps its points
    sorted by key so gets the same tree whatever the order of insertion. Raises ValueError on lengths that do not fit.

    No edge between old points that was not in the tree can be in the new one, so 2n - 1 edges are left to choose from
    (Spira and Pan 1975). A new edge to u is not needed either if u has a neighbour in the tree that is nearer both to u
    and to the new point. That leaves few of them.
    """
    n = len(distances)
    at = n if at is None else at
    if len(edges) != max(n - 1, 0) or len(weights) != len(edges) or not 0 <= at <= n:
        raise ValueError(f"a tree of {len(edges)} edges and {len(weights)} weights, {n} distances, index {at}")
    a, b = edges[:, 0], edges[:, 1]
    from_a, from_b = distances[a], distances[b]
    needed = np.ones(n, dtype=bool)
    needed[np.where(from_a > from_b, a, b)[weights < np.maximum(from_a, from_b)]] = False
    near = np.flatnonzero(needed)
    joined = np.empty((len(edges) + len(near), 2), dtype=np.intp)
    joined[: len(edges)] = edges + (edges >= at)
    moved = near + (near >= at)
    joined[len(edges) :, 0] = np.minimum(moved, at)
    joined[len(edges) :, 1] = np.maximum(moved, at)
    lengths = np.concatenate([weights, distances[near]])
    order = _canonical(joined, lengths)
    kept = order[_boruvka(n + 1, joined[order])[0]]
    return joined[kept], lengths[kept]


def linkage(edges: Ints, weights: Floats) -> Floats:
    """SciPy's ``Z`` [n-1, 4] of the single-linkage dendrogram whose merges are these edges, given by weight."""
    n = len(edges) + 1
    root = list(range(2 * n - 1))
    size = [1] * (2 * n - 1)
    left, right = [0] * (n - 1), [0] * (n - 1)
    # plain lists: a loop over them is some thirty times faster than one over arrays
    for new, a, b in zip(range(n, 2 * n - 1), edges[:, 0].tolist(), edges[:, 1].tolist(), strict=True):
        while root[a] != a:
            root[a] = a = root[root[a]]
        while root[b] != b:
            root[b] = b = root[root[b]]
        root[a] = root[b] = new
        size[new] = size[a] + size[b]
        left[new - n], right[new - n] = (a, b) if a < b else (b, a)
    merges = np.empty((n - 1, 4))
    merges[:, 0], merges[:, 1], merges[:, 2], merges[:, 3] = left, right, weights, size[n:]
    return merges


def leaf_order(edges: Ints, weights: Floats) -> tuple[Ints, Floats]:
    """Leaves [n] of the dendrogram in an order that keeps clusters together, and the gaps [n-1] between neighbours.

    The largest gap between two leaves is the height at which single linkage joins them, and the heaviest edge on their
    path through the tree (the reachability plot of Ankerst, Breunig, Kriegel and Sander 1999).
    """
    n = len(edges) + 1
    root, last, following, before = list(range(n)), list(range(n)), [0] * n, [0.0] * n
    for a, b, weight in zip(edges[:, 0].tolist(), edges[:, 1].tolist(), weights.tolist(), strict=True):
        while root[a] != a:
            root[a] = a = root[root[a]]
        while root[b] != b:
            root[b] = b = root[root[b]]
        if a > b:
            a, b = b, a
        root[b] = a  # a cluster's root is its first leaf
        following[last[a]], last[a], before[b] = b, last[b], weight
    leaves = np.zeros(n, dtype=np.intp)
    at = 0
    for place in range(1, n):
        leaves[place] = at = following[at]
    return leaves, np.array(before)[leaves[1:]]


def components(n: int, edges: Ints) -> Ints:
    """Label [n] of each vertex's component, numbered by smallest member."""
    return _boruvka(n, edges)[1]


def _canonical(edges: Ints, weights: Floats) -> Ints:
    """The order [m] of edges by weight, then by indices."""
    order = np.argsort(weights, kind="stable")
    ranked = weights[order]
    same = ranked[1:] == ranked[:-1]
    if same.any():  # ties are few as a rule; only they are sorted by three keys
        tied = np.flatnonzero(np.append(same, False) | np.append(False, same))
        among = order[tied]
        order[tied] = among[np.lexsort((edges[among, 1], edges[among, 0], weights[among]))]
    return order


def _boruvka(n: int, edges: Ints) -> tuple[npt.NDArray[np.bool_], Ints]:
    """Which of the edges [m, 2], given best first, make the minimum spanning forest; label [n] of its trees.

    In each round every tree takes its best edge to another one, and trees so joined become one vertex.
    """
    label = np.arange(n, dtype=np.int32)
    kept = np.zeros(len(edges), dtype=bool)
    a, b = edges[:, 0].astype(np.int32), edges[:, 1].astype(np.int32)  # half the memory to walk through
    rank = np.arange(len(edges), dtype=np.int32)
    while len(rank):
        place = np.arange(len(rank), dtype=np.int32)
        best = np.full(n, len(rank), dtype=np.int32)
        np.minimum.at(best, a, place)
        np.minimum.at(best, b, place)
        active = np.flatnonzero(best < len(rank))
        chosen = best[active]
        kept[rank[chosen]] = True
        parent = np.arange(n, dtype=np.int32)
        parent[active] = a[chosen] + b[chosen] - active
        mutual = active[(parent[parent[active]] == active) & (active < parent[active])]
        parent[mutual] = mutual
        above = parent[parent]
        while not np.array_equal(above, parent):
            parent, above = above, above[above]
        roots = parent == np.arange(n)
        joined = (np.cumsum(roots, dtype=np.int32) - 1)[parent]
        n = int(roots.sum())
        label, a, b = joined[label], joined[a], joined[b]
        apart = a != b
        a, b, rank = a[apart], b[apart], rank[apart]
    smallest = np.full(n, len(label))
    np.minimum.at(smallest, label, np.arange(len(label)))
    return kept, np.argsort(np.argsort(smallest))[label]
