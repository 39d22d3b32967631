"""The first paper's measurements as array functions: reduction, single linkage, purity, order by merge height.

Owns formulas only: arrays in, numbers out. Judges orders against the truth; finds none but the paper's own.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.cluster.hierarchy import cut_tree, linkage

from mvc.papers.lineages.cards import Scores

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]

#: rows of distances that are computed at once
_ROWS = 512


def truncated_svd(points: Floats, rank: int) -> Floats:
    """Coordinates [n, rank] of points [n, d] along their first right singular vectors, not centred.

    By the eigenvectors of the smaller Gram matrix: exact enough for distances, and a zoo of 12,500 checkpoints fits.
    """
    n, d = points.shape
    if n <= d:
        squares, left = np.linalg.eigh(points @ points.T)  # (n,), (n, n), ascending
        coordinates: Floats = (left * np.sqrt(squares.clip(min=0)))[:, ::-1]
    else:
        coordinates = points @ np.linalg.eigh(points.T @ points)[1][:, ::-1]  # (n, d)
    return np.ascontiguousarray(coordinates[:, :rank])


def single_linkage(points: Floats) -> Floats:
    """SciPy's ``Z`` [n-1, 4] of the single-linkage dendrogram of points [n, d] under Euclidean distance."""
    merges: Floats = linkage(_distances(points), "single")
    return merges


def _distances(points: Floats) -> Floats:
    """Euclidean distances of all pairs, in the order of SciPy's ``pdist``, by matrix products: ten times as fast."""
    n = len(points)
    squares = np.einsum("ij,ij->i", points, points)
    found, at = np.empty(n * (n - 1) // 2), 0
    for start in range(0, n, _ROWS):
        rows = points[start : start + _ROWS]
        block = squares[start : start + _ROWS, None] + squares[start:] - 2 * (rows @ points[start:].T)
        for i, row in enumerate(np.sqrt(block.clip(min=0))):
            found[at : at + len(row) - i - 1] = row[i + 1 :]
            at += len(row) - i - 1
    return found


def cut(merges: Floats, clusters: int) -> Ints:
    """Cluster [n] of each point where the dendrogram has exactly that many clusters."""
    labels: Ints = cut_tree(merges, n_clusters=[clusters])[:, 0].astype(np.intp)
    return labels


def merge_heights(merges: Floats) -> Floats:
    """Height [n] at which each point is first merged with any other."""
    n = len(merges) + 1
    heights = np.empty(n)
    for left, right, height, _ in merges:
        for node in (int(left), int(right)):
            if node < n:
                heights[node] = height
    return heights


def purity(clusters: Ints, runs: Ints) -> float:
    """Share of points [n] that belong to the run most frequent in their cluster (Manning et al. 2008, §16.3)."""
    pure = sum(int(np.bincount(runs[clusters == label]).max()) for label in np.unique(clusters))
    return pure / len(runs)


def ordered_initial_epochs(order: Ints) -> int:
    """How many of the first epochs 0, 1, 2, … stand in their places in an order [k] of epochs."""
    wrong = np.flatnonzero(order != np.arange(len(order)))
    return int(wrong[0]) if len(wrong) else len(order)


def ordered_pairs(order: Ints) -> float:
    """Share of neighbours in an order [k] of epochs that are one epoch apart, the earlier one first."""
    return float((np.diff(order) == 1).mean()) if len(order) > 1 else 1.0


def measure(points: Floats, runs: Ints, epochs: Ints) -> Scores:
    """The paper's protocol on points [n, d] with true runs [n] and epochs [n]: the number of runs is given."""
    merges = single_linkage(points)
    heights = merge_heights(merges)
    names = np.unique(runs)
    initial, pairs = [], []
    for run in names:
        members = np.flatnonzero(runs == run)
        members = members[np.argsort(epochs[members], kind="stable")]  # equal heights: the earlier first
        order: Ints = np.argsort(-heights[members], kind="stable")
        initial.append(ordered_initial_epochs(order))
        pairs.append(ordered_pairs(order))
    clusters = cut(merges, len(names))
    return Scores(purity(clusters, runs), float(np.mean(initial)), float(np.mean(pairs)))
