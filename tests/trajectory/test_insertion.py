"""One point at a time gives the tree of all points at once, and SciPy's dendrogram, whatever the order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import linkage as scipy_linkage
from scipy.spatial.distance import pdist, squareform

from mvc.trajectory import linkage, minimum_spanning_tree
from mvc.trajectory.mst import Floats, Ints, insert, spanning_forest

EMPTY = np.empty((0, 2), dtype=np.intp), np.empty(0)


def inserted(distances: Floats, order: Ints, *, keyed: bool) -> tuple[Ints, Floats]:
    """The tree of points that came in that order: indices by key (the matrix's rows), or by arrival."""
    edges, weights = EMPTY
    present: list[int] = []
    for point in order.tolist():
        at = int(np.searchsorted(present, point)) if keyed else len(present)
        edges, weights = insert(edges, weights, distances[point, present], at)
        present.insert(at, point)
    return edges, weights


def points_of(seed: int, n: int, kind: str) -> Floats:
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(n, 3))
    if kind == "coarse":  # ties and duplicates
        return np.round(points)
    if kind == "copies":
        return points[rng.integers(0, max(n // 3, 1), size=n)]
    return points


@given(
    n=st.integers(1, 40),
    seed=st.integers(0, 500),
    kind=st.sampled_from(["general", "coarse", "copies"]),
    keyed=st.booleans(),
)
@settings(max_examples=80, deadline=None)
def test_inserting_gives_the_batch_tree(n: int, seed: int, kind: str, keyed: bool) -> None:
    distances = squareform(pdist(points_of(seed, n, kind))) if n > 1 else np.zeros((1, 1))
    order = np.random.default_rng(seed + 1).permutation(n)
    edges, weights = inserted(distances, order, keyed=keyed)
    batch, heights = minimum_spanning_tree(distances if keyed else distances[np.ix_(order, order)])
    np.testing.assert_array_equal(edges, batch)
    np.testing.assert_array_equal(weights, heights)
    if n > 1:
        scipys = scipy_linkage(squareform(distances), "single")
        np.testing.assert_array_equal(linkage(edges, weights)[:, 2], scipys[:, 2])


@given(n=st.integers(1, 30), seed=st.integers(0, 200), coarse=st.booleans())
@settings(max_examples=40, deadline=None)
def test_prim_and_boruvka_agree(n: int, seed: int, coarse: bool) -> None:
    points = points_of(seed, n, "coarse" if coarse else "general")
    distances = squareform(pdist(points)) if n > 1 else np.zeros((1, 1))
    pairs = np.stack(np.tril_indices(n, -1), axis=1)  # the larger index first, as any caller may give them
    np.random.default_rng(seed).shuffle(pairs)
    for ours, theirs in zip(
        spanning_forest(n, pairs, distances[pairs[:, 0], pairs[:, 1]]), minimum_spanning_tree(distances), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_a_forest_stays_a_forest() -> None:
    edges, weights = spanning_forest(6, np.array([[1, 0], [0, 1], [2, 1], [0, 2], [4, 5]]), np.array([3.0, 1, 2, 2, 0]))
    assert edges.tolist() == [[4, 5], [0, 1], [0, 2]]
    assert weights.tolist() == [0, 1, 2]


def test_the_first_two_points() -> None:
    edges, weights = insert(*EMPTY, np.empty(0))
    assert edges.shape == (0, 2)
    edges, weights = insert(edges, weights, np.array([2.5]), at=0)
    assert edges.tolist() == [[0, 1]] and weights.tolist() == [2.5]


@pytest.mark.parametrize(("edges", "distances", "at"), [(2, 2, None), (1, 2, 3), (0, 2, 0)])
def test_lengths_that_do_not_fit_are_refused(edges: int, distances: int, at: int | None) -> None:
    with pytest.raises(ValueError, match="distances"):
        insert(np.zeros((edges, 2), dtype=np.intp), np.zeros(edges), np.zeros(distances), at)
