"""Single linkage by groups and bounds is that of all distances."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
from scipy.cluster.hierarchy import linkage as scipy_linkage
from scipy.spatial.distance import pdist, squareform

from mvc.testing.trajectories import Walk, synthetic_run
from mvc.trajectory import minimum_spanning_tree, single_linkage
from mvc.trajectory.grouping import Singles, group_points
from mvc.trajectory.mst import leaf_order


def runs(seed: int) -> Singles:
    """Runs of 15 with forks, projected, in no order."""
    trajectories = [synthetic_run(seed * 100 + i, Walk(points=15)) for i in range(30)]
    trajectories += [synthetic_run(seed * 100 + 50 + i, Walk(8), start=trajectories[i][7]) for i in range(6)]
    flat = np.concatenate(trajectories)
    rng = np.random.default_rng(seed)
    return rng.permutation(flat @ rng.normal(size=(flat.shape[1], 24)) / 5).astype(np.float32)


def strangers(seed: int) -> Singles:
    return np.random.default_rng(seed).normal(size=(400, 16)).astype(np.float32)


def fine_tunes(seed: int) -> Singles:
    """Tight families far from each other and from zero: products of whole vectors have no digits left for them."""
    rng = np.random.default_rng(seed)
    base = 1000 * rng.normal(size=(5, 1, 16))
    return (base + 0.01 * rng.normal(size=(5, 80, 16))).reshape(-1, 16).astype(np.float32)


def copies(seed: int) -> Singles:
    points = runs(seed)
    return points[np.random.default_rng(seed).integers(0, 150, size=400)]


@pytest.mark.parametrize("make", [runs, strangers, fine_tunes, copies])
@pytest.mark.parametrize("groups", [None, 60])
@pytest.mark.parametrize("seed", range(2))
def test_the_tree_is_that_of_all_distances(make, groups: int | None, seed: int) -> None:  # type: ignore[no-untyped-def]
    points = make(seed)
    condensed = pdist(points.astype(np.float64))
    found = single_linkage(points, groups=groups)
    edges, weights = minimum_spanning_tree(squareform(condensed))
    np.testing.assert_array_equal(found.edges, edges)
    np.testing.assert_allclose(found.weights, weights, rtol=1e-12)
    np.testing.assert_allclose(found.weights, scipy_linkage(condensed, "single")[:, 2], rtol=1e-12)


def test_bounds_leave_little_to_compare() -> None:
    points = np.concatenate([runs(seed) for seed in range(8)])
    found = single_linkage(points, groups=320)  # there are 240 runs
    assert found.compared < len(points) ** 2 / 40


def test_candidates_that_do_not_fit_are_thinned(monkeypatch: pytest.MonkeyPatch) -> None:
    points = strangers(0)
    expected = single_linkage(points)
    module = import_module("mvc.trajectory.single_linkage")  # the package has a function of that name
    monkeypatch.setattr(module, "_HELD", 50)
    monkeypatch.setattr(module, "_TURN", 2)
    found = single_linkage(points, threads=2)
    assert found.candidates > 500
    np.testing.assert_array_equal(found.edges, expected.edges)
    np.testing.assert_array_equal(found.weights, expected.weights)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_few_points(n: int) -> None:
    points = np.arange(n, dtype=np.float32)[:, None] ** 2
    found = single_linkage(points)
    assert found.edges.tolist() == [[0, 1], [1, 2]][: n - 1]
    assert found.weights.tolist() == [1, 3][: n - 1]


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
def test_values_without_distances_are_refused(value: float) -> None:
    points = strangers(0)
    points[7, 3] = value
    with pytest.raises(ValueError, match="finite"):
        single_linkage(points)


def test_only_copies() -> None:
    found = single_linkage(np.ones((5, 3), dtype=np.float32))
    assert found.edges.tolist() == [[0, 1], [0, 2], [0, 3], [0, 4]]
    assert not found.weights.any()


def test_lineages_and_their_tree() -> None:
    points = np.array([[0], [10], [1], [11], [30]], dtype=np.float32)
    labels, edges, weights = single_linkage(points).lineages(2.0)
    assert labels.tolist() == [0, 1, 0, 1, 2]
    assert edges.tolist() == [[0, 1], [1, 2]] and weights.tolist() == [9, 19]


def test_groups_cover_all_points_within_what_they_promise() -> None:
    points = runs(3).astype(np.float64)
    groups = group_points(points.astype(np.float32), 40)
    assert sorted(groups.members) == list(range(len(points)))
    assert set(groups.starts) <= set(groups.balls)
    for start, stop, radius in zip(groups.balls[:-1], groups.balls[1:], groups.radii, strict=True):
        distances = np.linalg.norm(points[groups.members[start:stop]] - points[groups.members[start]], axis=1)
        assert distances.max() <= radius * (1 + 1e-6) + 1e-6
    heights = squareform(pdist(points))
    order, gaps = leaf_order(*minimum_spanning_tree(heights))
    place = np.argsort(order)
    for start, stop, height in zip(groups.starts[:-1], groups.starts[1:], groups.heights, strict=True):
        places = place[groups.members[start:stop]]
        assert stop - start == 1 or gaps[places.min() : places.max()].max() <= height + 1e-12


def test_leaf_order_keeps_clusters_together() -> None:
    points = strangers(1)
    distances = squareform(pdist(points[:60]))
    edges, weights = minimum_spanning_tree(distances)
    order, gaps = leaf_order(edges, weights)
    heights = scipy_linkage(squareform(distances), "single")
    cophenetic = np.zeros((60, 60))
    for i in range(60):
        for j in range(i + 1, 60):
            cophenetic[i, j] = gaps[i:j].max()
    from_edges = np.sort(gaps)
    np.testing.assert_array_equal(from_edges, heights[:, 2])
    assert (cophenetic[np.triu_indices(60, 1)] <= distances[np.ix_(order, order)][np.triu_indices(60, 1)]).all()
