"""Runs beside each other are told apart by the metric, their hosts by their pace, tensors by what they say of order."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mvc.trajectory.discriminant import discriminant_squares
from mvc.trajectory.forks import Chain, continue_hosts
from mvc.trajectory.inference import lay_out
from mvc.trajectory.metrics import trajectory_tree
from mvc.trajectory.mst import minimum_spanning_tree
from mvc.trajectory.ordering import squared_distances


def _ladder(seed: int) -> npt.NDArray[np.float64]:
    """Two runs of 12 points off one start, with one drift and noise of their own."""
    rng = np.random.default_rng(seed)
    drift = np.zeros(200)
    drift[0] = 80.0
    return np.concatenate([np.cumsum(drift + rng.normal(size=(12, 200)), axis=0) for _ in range(2)])


def _rungs(edges: npt.NDArray[np.intp]) -> int:
    return int(((edges[:, 0] < 12) != (edges[:, 1] < 12)).sum())


def test_the_drift_of_runs_beside_each_other_makes_no_rungs() -> None:
    for seed in range(5):
        squares = squared_distances(points := _ladder(seed))
        assert _rungs(minimum_spanning_tree(np.sqrt(squares))[0]) > 5, "the plain tree is not fooled: no test"
        tree = trajectory_tree(points, squares)
        assert _rungs(tree.edges) <= 2 and tree.leaves <= 4


def test_a_host_goes_on_at_its_pace() -> None:
    line = np.arange(6.0)
    points = np.concatenate([np.stack([line, 0 * line], axis=1), [[2.0, 3.0], [2.0, 6.0], [2.0, 9.0], [2.0, 12.0]]])
    longest_first = [Chain(None, [0, 1, 2, 6, 7, 8, 9]), Chain(2, [3, 4, 5])]
    assert continue_hosts(longest_first, points) == [Chain(None, [0, 1, 2, 3, 4, 5]), Chain(2, [6, 7, 8, 9])]
    rightly = [Chain(None, [0, 1, 2, 3, 4, 5]), Chain(2, [6, 7, 8, 9])]
    assert continue_hosts(rightly, points) == rightly


def test_a_tensor_of_noise_counts_for_little() -> None:
    rng = np.random.default_rng(0)
    blocks = lay_out([("noise", (30, 30)), ("walk", (20, 20)), ("also", (20, 20))])
    told = rng.normal(size=(30, 802)).cumsum(axis=0)
    vectors = np.concatenate([30 * rng.normal(size=(30, 901)), told], axis=1)
    lags = np.subtract.outer(np.arange(30), np.arange(30))
    upper = np.triu_indices(30, 1)
    plain, weighed = (
        np.corrcoef(squares[upper], np.abs(lags)[upper])[0, 1]
        for squares in (squared_distances(vectors), discriminant_squares(vectors, blocks))
    )
    assert weighed > 0.8 > 0.2 > plain
