"""Figures of steps: what each looks at, and that a walk can be gone on with from its last few steps."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest

from mvc.drift import KINDS, Layout, judge_walk, profile_step, walk
from mvc.drift.profiles import StepProfile
from mvc.drift.walks import BEHIND
from mvc.testing.trajectories import SHAPES, synthetic_run, tensors_of

LAYOUT = Layout.of(SHAPES)
Floats = npt.NDArray[np.float64]


def profiles(weights: Floats) -> list[StepProfile]:
    models = [tensors_of(row) for row in weights]
    return [profile_step(before, now) for before, now in pairwise(models)]


def cosines(weights: Floats) -> Floats:
    steps = np.diff(weights, axis=0)
    norms = np.linalg.norm(steps, axis=1)
    return np.concatenate([[np.nan], (steps[1:] * steps[:-1]).sum(axis=1) / norms[1:] / norms[:-1]])


def column(values: Floats, kind: str, tensor: str = "") -> Floats:
    return values[:, LAYOUT.figures.index((kind, tensor))]


def test_layouts_know_the_head_and_its_bias() -> None:
    shapes = {"body.0.weight": (32, 20), "body.0.bias": (32,), "out.weight": (10, 32), "out.bias": (10,), "scale": ()}
    layout = Layout.of(shapes)
    assert (layout.head, layout.beside) == ("out.weight", "out.bias")
    assert set(layout.vectors) == {"body.0.bias", "out.bias"}
    assert {kind for kind, _ in layout.figures} <= set(KINDS)
    assert Layout.of({"x": (3,)}).head is None and Layout.of({}).matrices == ()


def test_figures_are_what_they_are_called() -> None:
    run = synthetic_run(1)
    values = walk(LAYOUT, profiles(run), cosines(run))
    assert values.shape == (len(run) - 1, len(LAYOUT.figures))
    lengths = np.linalg.norm(np.diff(run, axis=0), axis=1)
    assert column(values, "length") == pytest.approx(np.log(lengths), rel=1e-3)
    assert np.isnan(column(values, "turn")[0])
    assert column(values, "turn")[1:] == pytest.approx(np.arctanh(cosines(run)[1:]), abs=1e-3)
    growth = [
        (step @ at) / np.linalg.norm(step) / np.linalg.norm(at)
        for step, at in zip(np.diff(run, axis=0), run, strict=False)
    ]
    assert column(values, "norm") == pytest.approx(np.arctanh(growth), abs=1e-3)


def test_a_walk_goes_on_from_its_last_few_steps() -> None:
    run = synthetic_run(2)
    whole = walk(LAYOUT, profiles(run), cosines(run))
    recent = run[-BEHIND - 2 :]
    part = walk(LAYOUT, profiles(recent), cosines(recent))
    np.testing.assert_allclose(part[-1], whole[-1])


def test_a_pattern_shows_what_lengths_do_not() -> None:
    run = synthetic_run(3)
    step = tensors_of(run[-1] - run[-2])
    rows = step["fc3.weight"].copy()
    rows[4] = np.abs(rows[4]) * 2
    step["fc3.weight"] = (rows * np.linalg.norm(step["fc3.weight"]) / np.linalg.norm(rows)).astype(np.float32)
    odd = run.copy()
    odd[-1] = run[-2] + np.concatenate([step[name].ravel() for name in SHAPES])
    plain, shifted = (walk(LAYOUT, profiles(path), cosines(path))[-1:] for path in (run, odd))
    assert column(shifted, "length") == pytest.approx(column(plain, "length"), abs=1e-3)
    assert (
        column(shifted, "head-largest-row-sum", "fc3.weight") > column(plain, "head-largest-row-sum", "fc3.weight") + 1
    )
    assert column(shifted, "head-rows", "fc3.weight") > column(plain, "head-rows", "fc3.weight") + 0.5


def test_tensors_that_stay_have_no_figures_of_length() -> None:
    run = synthetic_run(4)
    frozen = tensors_of(run[0])["fc1.weight"]
    models = [{**tensors_of(row), "fc1.weight": frozen} for row in run]
    steps = [profile_step(a, b) for a, b in pairwise(models)]
    values = walk(LAYOUT, steps, cosines(run))
    assert np.isnan(column(values, "matrix-length", "fc1.weight")).all()
    assert np.isfinite(column(values, "matrix-length", "fc2.weight")).all()


def test_a_tensor_that_rests_leaves_no_pattern_behind() -> None:
    run = [tensors_of(row) for row in synthetic_run(4)]
    models = [{**model, "fc1.weight": run[min(place, 8)]["fc1.weight"]} for place, model in enumerate(run)]
    values = walk(LAYOUT, [profile_step(a, b) for a, b in pairwise(models)], cosines(synthetic_run(4)))
    rows = column(values, "rows", "fc1.weight")
    assert np.isfinite(rows[2:12]).all()  # its coming to rest shows, for as long as moves are remembered
    assert np.isnan(rows[12:]).all()
    assert np.isfinite(column(values, "rows", "fc2.weight")[2:]).all()
    found = judge_walk(LAYOUT, values, start=13)
    assert all(one.score is not None and not one.findings for one in found)
