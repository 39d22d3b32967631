"""MVC007 speaks of steps in too few or too many directions, names the tensor, and is silent where it must be."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr

from mvc.drift.spectral import FEWEST, Ranks, cauchy_combination, judge_ranks


def walk(length: int, seed: int = 0, noise: float = 0.02) -> list[Ranks]:
    """Ranks of two tensors that fall slowly."""
    rng = np.random.default_rng(seed)
    return [
        {"a": 20 * 0.98**t * np.exp(noise * rng.normal()), "b": 9 * np.exp(noise * rng.normal())} for t in range(length)
    ]


@pytest.mark.parametrize("factor", [0.3, 3.0])
def test_the_tensor_is_named(factor: float) -> None:
    steps = walk(12)
    usual = steps[-1]["b"]
    found = judge_ranks([*steps[:-1], {**steps[-1], "b": factor * usual}])
    (finding,) = found.findings
    assert (finding.rule, finding.tensor) == ("MVC007", "b")
    assert finding.value == pytest.approx(factor * usual)
    assert finding.limit == pytest.approx(9, rel=0.15)
    assert finding.probability == found.probability < 1e-4
    assert found.tensors["b"] < 1e-4 < found.tensors["a"]


def test_healthy_walks_are_left_alone() -> None:
    found = [judge_ranks(walk(12, seed)) for seed in range(200)]
    assert sum(len(one.findings) for one in found) == 0
    assert np.median([one.probability for one in found if one.probability]) > 0.2


def test_silence_until_there_are_enough_steps() -> None:
    found = judge_ranks(walk(FEWEST))
    assert found.probability is None and found.reason == "6 steps; 7 are needed"
    assert judge_ranks(walk(FEWEST + 1)).probability is not None
    assert judge_ranks([]).probability is None


def test_tensors_that_did_not_change_say_nothing() -> None:
    steps = walk(12)
    assert judge_ranks([*steps[:-1], {}]).reason.startswith("no matrix")
    only = judge_ranks([*steps[:-1], {"b": steps[-1]["b"]}])
    assert only.tensors.keys() == {"b"}
    thawed = judge_ranks([*({"a": step["a"]} for step in steps[:-1]), {"a": steps[-1]["a"], "b": 1.0}])
    assert thawed.tensors.keys() == {"a"} and not thawed.findings


def test_the_limit_is_the_callers() -> None:
    steps = walk(12)
    steps[-1] = {**steps[-1], "b": steps[-1]["b"] * 1.3}
    probability = judge_ranks(steps).probability
    assert probability is not None and 1e-4 < probability < 0.5
    assert judge_ranks(steps, limit=2 * probability).findings and not judge_ranks(steps, limit=probability).findings


@pytest.mark.parametrize("p", [1e-300, 1e-20, 1e-4, 0.3, 0.999])
def test_one_probability_combines_to_itself(p: float) -> None:
    assert cauchy_combination([p]) == pytest.approx(p)
    assert cauchy_combination([p] * 5) == pytest.approx(p)


def test_combined_probabilities_are_uniform_though_they_depend() -> None:
    rng = np.random.default_rng(0)
    shared, own = rng.normal(size=(4000, 1)), rng.normal(size=(4000, 6))

    p = 2 * ndtr(-np.abs(0.8 * shared + 0.6 * own))
    found = np.array([cauchy_combination(list(row)) for row in p])
    assert np.mean(found < 0.01) == pytest.approx(0.01, abs=0.006)
