"""What is normal, what is not, and when nothing can be said."""

from __future__ import annotations

import numpy as np
import pytest

from mvc.drift import HISTORY, Normal, displacement_shares, drift_steps, judge, judge_all
from mvc.testing.trajectories import Walk, synthetic_run

SIBLINGS = Normal.of(synthetic_run(100 + i) for i in range(4))


@pytest.mark.parametrize("seed", range(8))
def test_healthy_steps_are_left_alone(seed: int) -> None:
    run = synthetic_run(seed, Walk(points=25))
    for end in range(HISTORY + 2, len(run) + 1):
        judgement = judge(run[:end], siblings=SIBLINGS)
        assert judgement.findings == (), end
        assert judgement.score is not None and judgement.score < 4


@pytest.mark.parametrize("factor", [8.0, 1 / 8])
def test_a_step_of_another_length_is_found(factor: float) -> None:
    run = synthetic_run(1)
    run[-1] = run[-2] + factor * (run[-1] - run[-2])
    rules = {finding.rule for finding in judge(run, siblings=SIBLINGS).findings}
    assert "MVC002" in rules


def test_turning_back_is_found() -> None:
    run = synthetic_run(2)
    run[-1] = run[-2] - (run[-1] - run[-2])
    judgement = judge(run, siblings=SIBLINGS)
    assert "MVC003" in {finding.rule for finding in judgement.findings}
    assert judgement.score is not None and judgement.score > 4


def test_too_little_history_is_silence_with_the_reason() -> None:
    judgement = judge(synthetic_run(3)[:HISTORY])
    assert judgement.score is None and judgement.findings == () and "needed" in judgement.reason


def test_an_identical_checkpoint_is_no_drift() -> None:
    run = synthetic_run(4)
    judgement = judge(np.concatenate([run, run[-1:]]), siblings=SIBLINGS)
    assert judgement.findings == () and judgement.score == 0.0


def test_judging_all_at_once_is_judging_one_by_one() -> None:
    run = synthetic_run(3)
    assert judge_all(run, siblings=SIBLINGS) == tuple(judge(run[: i + 1], siblings=SIBLINGS) for i in range(len(run)))


def test_a_spiky_past_widens_what_is_normal() -> None:
    calm, wild = synthetic_run(5, Walk(points=20)), synthetic_run(5, Walk(points=20))
    rng = np.random.default_rng(0)
    steps = np.diff(wild, axis=0) * np.exp(rng.normal(scale=0.7, size=19))[:, None]
    wild = np.concatenate([wild[:1], wild[:1] + np.cumsum(steps, axis=0)])

    def longer(run: np.ndarray) -> float:
        last = run[-1] + 3.0 * (run[-1] - run[-2])
        score = judge(np.concatenate([run, last[None]])).score
        assert score is not None
        return score

    assert longer(calm) > longer(wild)


def test_shares_of_the_displacement_sum_to_one() -> None:
    run = synthetic_run(6)
    assert displacement_shares(run).sum() == pytest.approx(1.0)
    assert displacement_shares(np.ones((3, 4))).tolist() == [0.0, 0.0]


def test_features_of_steps() -> None:
    steps = drift_steps(np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 2.0], [1.0, 1.0]]))
    np.testing.assert_allclose(np.exp(steps.log_lengths), [1, 2, 1])
    np.testing.assert_allclose(steps.angles[0], 90, atol=1e-9)
    assert steps.angles[1] > 170
