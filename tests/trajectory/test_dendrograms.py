"""The layout of a dendrogram, beside SciPy's."""

from __future__ import annotations

import numpy as np
from scipy.cluster.hierarchy import dendrogram

from mvc.trajectory.dendrograms import lay_out_dendrogram
from mvc.trajectory.mst import linkage, minimum_spanning_tree


def test_merges_are_scipys() -> None:
    points = np.random.default_rng(0).normal(size=(30, 3))
    edges, weights = minimum_spanning_tree(np.linalg.norm(points[:, None] - points[None], axis=2))
    drawn = lay_out_dendrogram(edges, weights)
    assert sorted(drawn.order.tolist()) == list(range(30))
    theirs = dendrogram(linkage(edges, weights), no_plot=True)
    # the same heights above the same things, whichever side each is drawn on
    mine = sorted(zip(drawn.heights, *np.sort(drawn.below, axis=1).T, strict=True))
    assert np.allclose(mine, sorted((d[1], *sorted((d[0], d[3]))) for d in theirs["dcoord"]))
    assert (drawn.left < drawn.right).all()


def test_no_line_crosses_another() -> None:
    points = np.random.default_rng(1).normal(size=(25, 2))
    edges, weights = minimum_spanning_tree(np.linalg.norm(points[:, None] - points[None], axis=2))
    drawn = lay_out_dendrogram(edges, weights)
    for left, right, height in zip(drawn.left, drawn.right, drawn.heights, strict=True):
        for stem, foot in zip((drawn.left, drawn.right), drawn.below.T, strict=True):
            passing = (foot < height) & (height < drawn.heights)
            assert not (passing & (left <= stem) & (stem <= right)).any()


def test_a_chain_of_any_depth() -> None:
    count = 5000
    edges = np.stack([np.arange(count - 1), np.arange(1, count)], axis=1)
    drawn = lay_out_dendrogram(edges, np.arange(1.0, count))
    assert drawn.order.tolist() == list(range(count))
    assert drawn.right[-1] == count - 1


def test_one_leaf_has_nothing_to_join() -> None:
    drawn = lay_out_dendrogram(np.empty((0, 2), dtype=np.intp), np.empty(0))
    assert (drawn.order.tolist(), drawn.heights.size) == ([0], 0)
