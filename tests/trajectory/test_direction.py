"""The direction of time: signals are odd, say nothing where there is nothing to say, and know when there is no way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mvc.geometry import EXACT, sign_tensor
from mvc.testing.trajectories import SHAPES, Floats, Walk, synthetic_run, tensors_of
from mvc.trajectory import lay_out
from mvc.trajectory.direction import DECIDED, LIMIT, SIGNALS, confidence, log_odds, signals

BLOCKS = lay_out(SHAPES.items())
SIZE = sum(int(np.prod(shape)) for shape in SHAPES.values())


def path_of(weights: Floats) -> Floats:
    """Signatures [m, k] of points [m, d]."""
    rows = [[sign_tensor(tensor).values for tensor in tensors_of(one).values()] for one in weights]
    return np.array([np.concatenate(row) for row in rows], dtype=np.float64)


def signal(name: str, path: Floats) -> float:
    return float(signals(path, BLOCKS)[SIGNALS.index(name)])


def stationary_walk(seed: int, points: int = 12, keeps: float = 0.3) -> Floats:
    """An Ornstein-Uhlenbeck process in equilibrium, the same law in both directions, about weights that stay."""
    rng = np.random.default_rng(seed)
    centre, noise = rng.normal(size=SIZE), rng.normal(size=(points, SIZE))
    for step in range(1, points):
        noise[step] = keeps * noise[step - 1] + np.sqrt(1 - keeps**2) * noise[step]
    return path_of(centre + 0.3 * noise)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), points=st.integers(2, 15))
def test_reversing_a_path_turns_every_signal_round(seed: int, points: int) -> None:
    path = path_of(synthetic_run(seed, Walk(points=points)))
    np.testing.assert_allclose(signals(path[::-1], BLOCKS), -signals(path, BLOCKS), atol=1e-9)
    assert log_odds(path[::-1], BLOCKS) == pytest.approx(-log_odds(path, BLOCKS), abs=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_a_run_that_settles_and_grows_runs_forward(seed: int) -> None:
    odds = log_odds(path_of(synthetic_run(seed)), BLOCKS)
    assert odds > 0 and confidence(odds) >= DECIDED


def test_time_is_mostly_undecided_along_a_stationary_walk() -> None:
    odds = np.array([log_odds(stationary_walk(seed), BLOCKS) for seed in range(300)])
    stated = np.array([confidence(one) for one in odds]) >= DECIDED
    assert 0.4 < (odds > 0).mean() < 0.6
    assert stated.mean() < 0.35


def test_progress_along_the_trend_settles_although_steps_of_noise_do_not() -> None:
    rng = np.random.default_rng(1)
    times, aim = np.linspace(0, 3, 16), rng.normal(size=SIZE)
    progress = (1 - np.exp(-times))[:, None] * aim * 4
    noisy = path_of(rng.normal(size=SIZE) + progress + 0.7 * rng.normal(size=(16, SIZE)))
    assert signal("settling", noisy) > 0.4
    assert abs(signal("jump", noisy)) < 0.5


def test_shrinking_norms_do_not_outweigh_all_other_signals() -> None:
    run = synthetic_run(2)
    shrinking = path_of(run * np.geomspace(1, 0.2, len(run))[:, None])
    assert signal("radial", shrinking) > -1.0
    assert abs(log_odds(shrinking, BLOCKS)) < LIMIT


def test_rows_that_become_sparse_count_as_tails_unless_they_are_sketched() -> None:
    def tails(columns: int) -> float:
        values = np.random.default_rng(3).normal(size=(12, columns))
        values = np.sign(values) * np.abs(values) ** np.linspace(1, 2, 8)[:, None, None]
        path = np.array([sign_tensor(one).values for one in values], dtype=np.float64)
        return float(signals(path, lay_out([("w", (12, columns))]))[SIGNALS.index("tails")])

    assert tails(24) > 0.5
    assert tails(EXACT // 12 + 1) == 0.0


def test_points_that_stand_still_have_no_direction() -> None:
    still = path_of(np.repeat(synthetic_run(4, Walk(points=1)), 6, axis=0))
    assert log_odds(still, BLOCKS) == 0.0
    assert log_odds(still[:1], BLOCKS) == 0.0
    assert not signals(np.zeros((3, still.shape[1])), BLOCKS).any()
    assert log_odds(still, ()) == 0.0


def test_tensors_that_are_frozen_do_not_dilute_the_others() -> None:
    path, shape = path_of(synthetic_run(5)), (16, 24)
    frozen = np.repeat(sign_tensor(np.random.default_rng(0).normal(size=shape)).values[None], len(path), axis=0)
    beside = np.concatenate([path, frozen], axis=1)
    blocks = lay_out([*SHAPES.items(), ("frozen.weight", shape)])
    for name in ("norms", "tails", "settling", "jump"):
        assert signals(beside, blocks)[SIGNALS.index(name)] == pytest.approx(signal(name, path), abs=1e-9)
