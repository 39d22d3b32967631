"""Two runs side by side are told apart, one run is left whole."""

from __future__ import annotations

import numpy as np
import pytest

from mvc.testing.trajectories import Walk, synthetic_run
from mvc.trajectory.departures import fork_point
from mvc.trajectory.ordering import order_epochs, squared_distances
from mvc.trajectory.parallel import SMALLEST, split_parallel


def side_by_side(seed: int, at: int, length: int, *, drift: float = 1.0, noise: float = 0.35) -> tuple[np.ndarray, ...]:
    """Host [24, d] and branch [length, d]: the same drift, noise of their own, apart by less than a step at first."""
    rng = np.random.default_rng(seed)
    d = 400
    aims = np.linalg.qr(rng.normal(size=(d, 2)))[0].T
    phase = np.linspace(0, 1.2, 40)
    curve = 20 * drift * (np.sin(phase)[:, None] * aims[0] + (1 - np.cos(phase))[:, None] * aims[1])

    def walk(start: int, steps: int, carried: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        wander = carried + np.cumsum(rng.normal(size=(steps, d)) * noise / np.sqrt(d), axis=0)
        return curve[start : start + steps] + wander, wander

    host, wander = walk(0, 24, np.zeros(d))
    branch, _ = walk(at + 1, length, wander[at])
    return host, branch


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("at", [6, 10])
def test_a_branch_beside_its_host_is_told_apart(seed: int, at: int) -> None:
    host, branch = side_by_side(seed, at, 9)
    points = np.concatenate([host, branch])
    order = order_epochs(squared_distances(points))
    order = order if order[0] < order[-1] else order[::-1]
    found = split_parallel(points[order])
    assert found is not None
    kept, split = ([int(order[i]) for i in part] for part in found)
    wrong = sum(i >= len(host) for i in kept) + sum(i < len(host) for i in split)
    assert wrong <= 2, (kept, split)
    assert len(split) >= SMALLEST
    assert abs(kept[fork_point(points[kept], points[split])[0]] - at) <= 2


@pytest.mark.parametrize("seed", range(12))
def test_one_run_is_left_whole(seed: int) -> None:
    assert split_parallel(synthetic_run(seed, Walk(points=12 + 3 * seed))) is None


@pytest.mark.parametrize("n", [2, 5, 12])
def test_short_paths_are_not_split(n: int) -> None:
    assert split_parallel(np.random.default_rng(0).normal(size=(n, 30))) is None


def test_pure_noise_is_not_split() -> None:
    assert split_parallel(np.random.default_rng(1).normal(size=(40, 500))) is None
