"""The first paper's measurements on cases small enough to work out by hand, and against other algorithms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform

from mvc.papers.lineages.cards import Scores
from mvc.papers.lineages.protocol import (
    cut,
    measure,
    merge_heights,
    ordered_initial_epochs,
    ordered_pairs,
    purity,
    single_linkage,
    truncated_svd,
)
from mvc.trajectory import linkage, minimum_spanning_tree


def points(*places: float) -> np.ndarray:
    return np.array(places, dtype=np.float64)[:, None]


def test_purity_counts_each_clusters_most_frequent_run() -> None:
    runs = np.array([0, 0, 0, 1, 1, 2])
    assert purity(runs, runs) == 1.0
    assert purity(np.array([0, 0, 0, 0, 1, 1]), runs) == pytest.approx(4 / 6)  # 3 of run 0, then one of two
    assert purity(np.zeros(6, dtype=np.intp), runs) == 0.5


def test_initial_epochs_are_counted_up_to_the_first_misplaced_one() -> None:
    assert ordered_initial_epochs(np.array([0, 1, 3, 2, 4])) == 2
    assert ordered_initial_epochs(np.array([1, 0, 2])) == 0
    assert ordered_initial_epochs(np.arange(4)) == 4


def test_pairs_in_order_run_forward() -> None:
    assert ordered_pairs(np.array([0, 1, 3, 2, 4])) == 0.25
    assert ordered_pairs(np.array([2, 1, 0])) == 0.0
    assert ordered_pairs(np.arange(5)) == 1.0


def test_a_point_is_first_merged_at_the_distance_of_its_nearest_neighbour() -> None:
    assert merge_heights(single_linkage(points(0, 8, 12, 14, 15))).tolist() == [8, 4, 2, 1, 1]
    cloud = np.random.default_rng(0).normal(size=(40, 3))
    nearest = (squareform(pdist(cloud)) + np.diag(np.full(40, np.inf))).min(axis=1)
    assert merge_heights(single_linkage(cloud)) == pytest.approx(nearest)


def test_a_run_whose_steps_shrink_is_ordered_wholly_and_a_steady_one_by_its_ties() -> None:
    shrinking, other = points(0, 8, 12, 14, 15), points(1000, 1008, 1012, 1014, 1015)
    epochs = np.tile(np.arange(5), 2)
    runs = np.repeat([0, 1], 5)
    assert measure(np.concatenate([shrinking, other]), runs, epochs) == Scores(1.0, 5.0, 1.0)
    growing = points(1000, 1001, 1003, 1007, 1015)  # heights 1, 1, 2, 4, 8: order 4, 3, 2, 0, 1
    assert measure(np.concatenate([shrinking, growing]), runs, epochs) == Scores(1.0, 2.5, (1.0 + 0.25) / 2)
    shuffled = np.random.default_rng(1).permutation(10)
    mixed = np.concatenate([shrinking, growing])[shuffled]
    assert measure(mixed, runs[shuffled], epochs[shuffled]) == Scores(1.0, 2.5, (1.0 + 0.25) / 2)


def test_a_far_checkpoint_takes_a_cluster_of_its_own() -> None:
    places, runs = points(0, 90, 91, 92, 120, 121), np.array([0, 0, 0, 0, 1, 1])
    clusters = cut(single_linkage(places), 2)
    assert len(np.unique(clusters)) == 2 and purity(clusters, runs) == pytest.approx(4 / 6)


@pytest.mark.parametrize("shape", [(20, 6), (6, 20)])
def test_the_decomposition_keeps_what_a_direct_one_keeps(shape: tuple[int, int]) -> None:
    cloud = np.random.default_rng(2).normal(size=shape) + 3
    left, values, _ = np.linalg.svd(cloud, full_matrices=False)
    for rank in (1, 3, 6):
        assert pdist(truncated_svd(cloud, rank)) == pytest.approx(pdist(left[:, :rank] * values[:rank]), abs=1e-6)


def test_single_linkage_is_that_of_our_own_spanning_tree() -> None:
    cloud = np.random.default_rng(3).normal(size=(60, 5))
    ours = linkage(*minimum_spanning_tree(squareform(pdist(cloud))))
    theirs = single_linkage(cloud)
    assert ours[:, 2] == pytest.approx(theirs[:, 2])
    assert merge_heights(ours) == pytest.approx(merge_heights(theirs))
    for clusters in (2, 5, 17):
        a, b = cut(ours, clusters), cut(theirs, clusters)
        assert np.array_equal(a[:, None] == a, b[:, None] == b)
