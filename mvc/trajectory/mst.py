"""Exact minimum spanning trees and single linkage of dense distances. Owns both algorithms; knows nothing of models.

Ties are broken by the smaller pair of indices, so the result is a function of the matrix alone.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]


def minimum_spanning_tree(distances: Floats) -> tuple[Ints, Floats]:
    """Prim's algorithm on a dense matrix [n, n]: edges [n-1, 2] with the smaller index first, and weights [n-1].

    O(n²) time, O(n) memory beside the matrix. Edges come in order of weight, then of indices.
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
        new = int(np.where(outside, reach, np.inf).argmin())
        edges[step] = sorted((int(source[new]), new))
        weights[step] = reach[new]
        outside[new] = False
        row = distances[new]
        closer = outside & ((row < reach) | ((row == reach) & (new < source)))
        reach[closer] = row[closer]
        source[closer] = new
    order = np.lexsort((edges[:, 1], edges[:, 0], weights))
    return edges[order], weights[order]


def linkage(edges: Ints, weights: Floats) -> Floats:
    """SciPy's ``Z`` [n-1, 4] of the single-linkage dendrogram whose merges are these edges, given by weight."""
    n = len(edges) + 1
    root = np.arange(2 * n - 1)
    size = np.ones(2 * n - 1, dtype=np.intp)
    merges = np.empty((n - 1, 4))
    for step, ((a, b), weight) in enumerate(zip(edges, weights, strict=True)):
        left, right = sorted((_find(root, int(a)), _find(root, int(b))))
        new = n + step
        root[left] = root[right] = new
        size[new] = size[left] + size[right]
        merges[step] = left, right, weight, size[new]
    return merges


def components(n: int, edges: Ints) -> Ints:
    """Label [n] of each vertex's component, numbered by smallest member."""
    root = np.arange(n)
    for a, b in edges:
        x, y = sorted((_find(root, int(a)), _find(root, int(b))))
        root[y] = x
    roots = np.array([_find(root, i) for i in range(n)], dtype=np.intp)
    labels: Ints = np.unique(roots, return_inverse=True)[1].astype(np.intp)
    return labels


def _find(root: npt.NDArray[np.int_], i: int) -> int:
    while root[i] != i:
        root[i] = root[root[i]]
        i = int(root[i])
    return i
