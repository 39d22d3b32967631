"""Damage to a checkpoint that follows a healthy walk: each kind is named with its tensor, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mvc.drift.integrity import integrity_findings
from mvc.drift.profiles import StepProfile, profile_step

Arrays = dict[str, npt.NDArray[Any]]
SHAPES = {
    "fc1.weight": (24, 40),
    "fc1.bias": (24,),
    "fc2.weight": (24, 24),
    "fc3.weight": (24, 24),
    "head.weight": (10, 24),
}


def walk(points: int, dtype: Any = np.float32) -> list[Arrays]:
    """A run whose changes have heavy tails, as training's have."""
    random = np.random.default_rng(3)
    at = {name: 0.3 * random.normal(size=shape) for name, shape in SHAPES.items()}
    found = []
    for _ in range(points):
        at = {name: value + 0.004 * random.standard_t(5, size=value.shape) for name, value in at.items()}
        found.append({name: value.astype(dtype) for name, value in at.items()})
    return found


def judged(points: list[Arrays], damage: Callable[[Arrays], None] | None = None) -> list[tuple[str, str | None]]:
    """Rules and tensors found in the last point, after ``damage``."""
    last = {name: value.copy() for name, value in points[-1].items()}
    if damage is not None:
        damage(last)
    past = [profile_step(a, b) for a, b in pairwise(points[:-1])]
    return [(f.rule, f.tensor) for f in integrity_findings(profile_step(points[-2], last), past)]


def flip(place: int, bit: int, tensor: str = "fc2.weight") -> Callable[[Arrays], None]:
    def damage(point: Arrays) -> None:
        flat = point[tensor].reshape(-1)
        kind = {2: np.uint16, 4: np.uint32}[flat.itemsize]
        flat[place : place + 1].view(kind)[0] ^= kind(1 << bit)

    return damage


@pytest.mark.parametrize("age", [2, 3, 5, 12])
@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16])
def test_a_healthy_step_is_nothing(age: int, dtype: Any) -> None:
    assert judged(walk(age, dtype)) == []


@pytest.mark.parametrize("age", [2, 12])
@pytest.mark.parametrize(
    ("dtype", "bit"), [(np.float32, 30), (np.float32, 24), (np.float16, 14), (ml_dtypes.bfloat16, 14)]
)
def test_a_flipped_bit_is_named_with_its_place(age: int, dtype: Any, bit: int) -> None:
    points = walk(age, dtype)
    clean = points[-1]["fc2.weight"].reshape(-1).astype(np.float64)
    place = int(np.argmin(np.abs(clean - 0.24)))
    flipped = {name: value.copy() for name, value in points[-1].items()}
    flip(place, bit)(flipped)
    past = [profile_step(a, b) for a, b in pairwise(points[:-1])]
    (finding,) = integrity_findings(profile_step(points[-2], flipped), past)
    row, column = divmod(place, 24)
    assert (finding.rule, finding.tensor) == ("MVC014", "fc2.weight")
    assert f"[{row}, {column}]" in finding.message and "of its exponent had flipped" in finding.message
    assert finding.probability is not None and finding.probability < 1e-4


def zero(point: Arrays) -> None:
    point["fc3.weight"][...] = 0


def block(point: Arrays) -> None:
    point["fc3.weight"].reshape(-1)[100:164] = 0


def constant(point: Arrays) -> None:
    point["fc3.weight"][...] = 0.25


def scale(point: Arrays) -> None:
    point["fc3.weight"] *= 64


def rows(point: Arrays) -> None:
    point["fc3.weight"][[3, 9]] = point["fc3.weight"][[9, 3]]


def permuted(point: Arrays) -> None:
    point["fc3.weight"] = point["fc3.weight"][np.random.default_rng(0).permutation(24)]


def columns(point: Arrays) -> None:
    point["fc3.weight"][:, [3, 9]] = point["fc3.weight"][:, [9, 3]]


def narrow(point: Arrays) -> None:
    point["fc3.weight"] = point["fc3.weight"].astype(ml_dtypes.bfloat16).astype(np.float32)


def saturate(point: Arrays) -> None:
    point["fc3.weight"][:2] = 65504


@pytest.mark.parametrize("age", [2, 12])
@pytest.mark.parametrize(("damage", "rule"), [
    (zero, "MVC013"), (block, "MVC013"), (constant, "MVC013"), (scale, "MVC015"), (rows, "MVC016"),
    (permuted, "MVC016"), (columns, "MVC016"), (narrow, "MVC017"), (saturate, "MVC017"),
])  # fmt: skip
def test_damage_is_named_by_its_rule_alone(age: int, damage: Callable[[Arrays], None], rule: str) -> None:
    assert judged(walk(age), damage) == [(rule, "fc3.weight")]


def test_tensors_that_changed_places_are_both_named() -> None:
    def exchange(point: Arrays) -> None:
        point["fc2.weight"], point["fc3.weight"] = point["fc3.weight"], point["fc2.weight"]

    assert judged(walk(6), exchange) == [("MVC016", "fc2.weight"), ("MVC016", "fc3.weight")]


def test_units_that_move_through_both_layers_are_a_copy_and_no_damage() -> None:
    def permute(point: Arrays) -> None:
        order = np.random.default_rng(1).permutation(24)
        point["fc2.weight"] = point["fc2.weight"][order]
        point["fc3.weight"] = point["fc3.weight"][:, order]

    assert judged(walk(6), permute) == []


def test_a_tensor_that_fades_evenly_is_training() -> None:
    points = walk(8)
    for age, point in enumerate(points):
        point["fc3.weight"] *= np.float32(0.5**age)
    assert judged(points) == []


def test_a_step_of_nothing_is_nothing() -> None:
    points = walk(4)
    assert judged([*points, points[-1]]) == []


def test_packed_steps_are_judged_as_measured_ones() -> None:
    points = walk(6)
    flip(50, 30)(points[-1])
    steps = [profile_step(a, b) for a, b in pairwise(points)]
    packed = [StepProfile.unpack(SHAPES, step.pack()) for step in steps]
    known = [step for step in packed if step is not None]
    assert integrity_findings(known[-1], known[:-1]) == integrity_findings(steps[-1], steps[:-1]) != ()


ODD = [0.0, 1.0, -1e-45, 3e38, 1e300, -1.7e308, np.inf, -np.inf, np.nan, 65504.0]


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([np.float16, np.float32, np.float64, ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn]),
    st.sampled_from([(), (1,), (3,), (40,), (0, 4), (8, 8), (2, 20), (3, 2, 3, 3)]),
)
def test_no_values_stop_the_judgement(seed: int, dtype: Any, shape: tuple[int, ...]) -> None:
    random = np.random.default_rng(seed)
    points = []
    for _ in range(5):
        values = np.where(random.random(shape) < 0.3, random.choice(ODD, shape), random.normal(size=shape))
        with np.errstate(over="ignore", invalid="ignore"):
            points.append({"a": np.asarray(values).astype(dtype), "b": np.asarray(random.choice(ODD, shape), dtype)})
    steps = [profile_step(a, b) for a, b in pairwise(points)]
    for finding in integrity_findings(steps[-1], steps[:-1]):
        assert finding.tensor in ("a", "b") and finding.probability is not None and 0 <= finding.probability < 1e-4
