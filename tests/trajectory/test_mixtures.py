"""Weighted averages are taken apart into their sources; trained checkpoints never are."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from mvc.testing.trajectories import Walk, synthetic_run
from mvc.trajectory import Mixture, explain_mixture
from mvc.trajectory.mixtures import matching_pursuit, sum_to_one_least_squares

Floats = npt.NDArray[np.floating]


@pytest.fixture(scope="module")
def siblings() -> Floats:
    """A base run of 12 points and five runs of 8 that go on from its last one [52, d]."""
    base = synthetic_run(0, Walk(points=12))
    tails = [synthetic_run(seed, Walk(points=8), start=base[-1]) for seed in range(1, 6)]
    return np.concatenate([base, *tails]).astype(np.float32)


TIPS = [19, 27, 35, 43, 51]
BASE = 11
MIXTURES = {
    "uniform": dict.fromkeys(TIPS, 0.2),
    "weighted": {19: 0.6, 27: 0.3, 51: 0.1},
    "two": {19: 0.5, 43: 0.5},
    "tail of a run": dict.fromkeys(range(45, 52), 1 / 7),
    "task arithmetic": {BASE: 1 - 3 * 0.4, 19: 0.4, 27: 0.4, 35: 0.4},
    "forgetting": {BASE: 1.5, 43: -0.5},
    "extrapolated": {35: 1.7, 27: -0.7},
}


def mixed(points: Floats, weights: dict[int, float]) -> Floats:
    rows = points[list(weights)].astype(np.float64)
    return np.array(list(weights.values())) @ rows


def worst(found: Mixture, weights: dict[int, float]) -> float:
    told = dict(zip(found.sources, found.weights, strict=True))
    return max(abs(told.get(i, 0.0) - weights.get(i, 0.0)) for i in {*told, *weights})


@pytest.mark.parametrize("name", MIXTURES)
def test_weights_are_recovered(siblings: Floats, name: str) -> None:
    weights = MIXTURES[name]
    found = explain_mixture(siblings, mixed(siblings, weights).astype(np.float32))
    assert found is not None and not found.incomplete and found.confidence > 0.99
    assert set(found.sources) == set(weights)
    assert worst(found, weights) < 1e-4
    assert math.isclose(sum(found.weights), 1.0, abs_tol=1e-9)
    assert np.all(np.diff(np.abs(found.weights)) < 1e-4)


@pytest.mark.parametrize("name", MIXTURES)
def test_a_result_in_half_precision_is_still_a_mixture(siblings: Floats, name: str) -> None:
    exact = mixed(siblings, MIXTURES[name])
    rounded = exact.astype(np.float16).astype(np.float32)
    found = explain_mixture(siblings, rounded, rounding=float(np.linalg.norm(rounded - exact)))
    assert found is not None and not found.incomplete
    assert worst(found, MIXTURES[name]) < 0.01


@pytest.mark.parametrize("missing", [19, 35])
def test_a_missing_source_is_said(siblings: Floats, missing: int) -> None:
    target = mixed(siblings, MIXTURES["uniform"]).astype(np.float32)
    known = np.delete(siblings, missing, axis=0)
    found = explain_mixture(known, target)
    assert found is not None and found.incomplete
    assert found.confidence < 0.95


@pytest.mark.parametrize("walk", [Walk(), Walk(noise=0.1), Walk(noise=1.0), Walk(points=40), Walk(decay=1.5)])
@pytest.mark.parametrize("seed", range(2))
def test_points_of_runs_are_no_mixtures(walk: Walk, seed: int) -> None:
    run, other = synthetic_run(seed, walk), synthetic_run(seed + 100, walk)
    fork = synthetic_run(seed + 200, walk, start=run[walk.points // 2])
    points = np.concatenate([run, other, fork]).astype(np.float32)
    called = [i for i in range(len(points)) if explain_mixture(np.delete(points, i, axis=0), points[i])]
    assert called == []


def test_models_that_move_in_few_dimensions_are_no_mixtures(siblings: Floats) -> None:
    """As of a dead network, or a frozen one, whose last biases alone go on."""
    points = np.repeat(siblings[:1], 30, axis=0)
    points[:, :10] += np.random.default_rng(0).normal(size=(30, 10)).cumsum(axis=0).astype(np.float32)
    known = np.concatenate([points, siblings[1:]])
    called = [i for i in range(30) if explain_mixture(np.delete(known, i, axis=0), known[i])]
    assert called == []


def test_copies_and_strangers_are_no_mixtures(siblings: Floats) -> None:
    assert explain_mixture(siblings, siblings[7]) is None
    assert explain_mixture(siblings, synthetic_run(9)[-1]) is None
    cast = siblings[7].astype(np.float16).astype(np.float32)
    assert explain_mixture(siblings, cast, rounding=float(np.linalg.norm(cast - siblings[7]))) is None
    assert explain_mixture(siblings[:1], siblings[1]) is None
    assert explain_mixture(siblings[:, :6], siblings[0, :6]) is None


def test_a_mixture_that_is_known_already_does_not_hide_another(siblings: Floats) -> None:
    soup = mixed(siblings, MIXTURES["two"])
    points = np.concatenate([siblings, soup[None].astype(np.float32)])
    found = explain_mixture(points, mixed(siblings, MIXTURES["uniform"]).astype(np.float32))
    assert found is not None and not found.incomplete
    told = sum(weight * points[i].astype(np.float64) for i, weight in zip(found.sources, found.weights, strict=True))
    assert np.linalg.norm(told - mixed(siblings, MIXTURES["uniform"])) < 1e-3


def test_the_answer_does_not_depend_on_the_order_of_candidates(siblings: Floats) -> None:
    target = mixed(siblings, MIXTURES["weighted"]).astype(np.float32)
    order = np.random.default_rng(0).permutation(len(siblings))
    found = explain_mixture(siblings[order], target)
    assert found is not None and [int(order[i]) for i in found.sources] == [19, 27, 51]


def test_sources_are_found_among_many() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(5000, 400)).astype(np.float32)
    points += 3 * rng.normal(size=400).astype(np.float32)
    weights = {17: 0.5, 1234: 0.4, 4321: 0.3, 99: -0.2}
    found = explain_mixture(points, mixed(points, weights).astype(np.float32))
    assert found is not None and worst(found, weights) < 1e-3
    assert len(matching_pursuit(points, mixed(points, weights).astype(np.float64), 100)) <= 100


def test_least_squares_agree_with_lagrange_multipliers() -> None:
    rng = np.random.default_rng(1)
    points, target = rng.normal(size=(7, 30)), rng.normal(size=30)
    system = np.block([[points @ points.T, np.ones((7, 1))], [np.ones((1, 7)), np.zeros((1, 1))]])
    expected = np.linalg.solve(system, np.append(points @ target, 1.0))[:7]
    fit = sum_to_one_least_squares(points, target)
    assert np.allclose(fit.weights, expected)
    assert math.isclose(fit.residual, float(np.linalg.norm(target - expected @ points)), rel_tol=1e-9)
    for i in range(7):
        others = sum_to_one_least_squares(np.delete(points, i, axis=0), points[i])
        assert math.isclose(fit.gaps[i], others.residual, rel_tol=1e-6)
