"""Exact single linkage, against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster
from scipy.cluster.hierarchy import linkage as scipy_linkage
from scipy.spatial.distance import pdist, squareform

from mvc.trajectory import linkage, minimum_spanning_tree
from mvc.trajectory.mst import components


@given(n=st.integers(2, 40), seed=st.integers(0, 500), coarse=st.booleans())
@settings(max_examples=60, deadline=None)
def test_merge_heights_are_scipys_to_the_last_bit(n: int, seed: int, coarse: bool) -> None:
    points = np.random.default_rng(seed).normal(size=(n, 3))
    condensed = pdist(np.round(points) if coarse else points)  # coarse points make ties
    edges, weights = minimum_spanning_tree(squareform(condensed))
    ours, theirs = linkage(edges, weights), scipy_linkage(condensed, "single")
    np.testing.assert_array_equal(ours[:, 2], theirs[:, 2])
    for height in np.unique(theirs[:, 2]):
        a, b = fcluster(ours, height, "distance"), fcluster(theirs, height, "distance")
        assert len(set(zip(a, b, strict=True))) == len(set(a)) == len(set(b))


def test_small_cases() -> None:
    assert minimum_spanning_tree(np.zeros((1, 1)))[0].shape == (0, 2)
    edges, weights = minimum_spanning_tree(np.array([[0.0, 2.0], [2.0, 0.0]]))
    assert edges.tolist() == [[0, 1]] and weights.tolist() == [2.0]


@pytest.mark.parametrize("seed", range(3))
def test_components_are_numbered_by_smallest_member(seed: int) -> None:
    edges = np.array([[3, 4], [1, 3]])[:: 1 if seed % 2 else -1]
    assert components(6, edges).tolist() == [0, 1, 2, 1, 1, 3]
