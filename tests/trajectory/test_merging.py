"""Averages among the points of a family are told from their sources, and stand beside the lineages, not in them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mvc.geometry import sign_tensor
from mvc.testing.trajectories import SHAPES, Walk, synthetic_run, tensors_of
from mvc.trajectory import Declared, Inference, Population, infer, lay_out, merging
from mvc.trajectory.merging import find_merges

Floats = npt.NDArray[np.floating]
Recipe = Mapping[str, float]

RECIPES: Mapping[str, Recipe] = {
    "uniform": {"a:7": 0.25, "b:7": 0.25, "c:7": 0.25, "d:7": 0.25},
    "two": {"a:7": 0.5, "c:7": 0.5},
    "weighted": {"a:3": 0.5, "b:5": 0.3, "base:9": 0.2},
    "tail": {f"d:{i}": 0.2 for i in range(3, 8)},
    "neighbours": {"b:4": 0.5, "b:5": 0.5},
    "task arithmetic": {"base:11": 1 - 3 * 0.4, "a:7": 0.4, "b:7": 0.4, "c:7": 0.4},
    "half way": {"base:11": 0.5, "d:7": 0.5},
}


@pytest.fixture(scope="module")
def trained() -> dict[str, Floats]:
    """A base run of 12 points and four runs of 8 that go on from its last one, by name of the point."""
    base = synthetic_run(0, Walk(points=12))
    runs = {"base": base} | {
        name: synthetic_run(seed, Walk(points=8), start=base[-1]) for seed, name in enumerate("abcd", start=1)
    }
    return {f"{run}:{i}": point for run, path in runs.items() for i, point in enumerate(path)}


def mixed(points: Mapping[str, Floats], recipe: Recipe) -> Floats:
    return np.sum([weight * points[name] for name, weight in recipe.items()], axis=0)


def population(
    points: Mapping[str, Floats],
    order: npt.NDArray[np.intp] | None = None,
    declared: Mapping[str, Declared] | None = None,
) -> Population:
    """The points under keys that sort in ``order``, each key ending in the point's name."""
    names = [list(points)[i] for i in (range(len(points)) if order is None else order)]
    vectors = [np.concatenate([sign_tensor(t).values for t in tensors_of(points[name]).values()]) for name in names]
    keys = tuple(f"{i:04d}/{name}" for i, name in enumerate(names))
    facts = tuple((declared or {}).get(name, Declared()) for name in names)
    return Population(keys, np.stack(vectors), lay_out(SHAPES.items()), facts)


def name(known: Population, point: int) -> str:
    return known.keys[point].split("/")[1]


def merges(known: Population, found: Inference) -> dict[str, dict[str, float]]:
    return {
        name(known, merge.point): {
            name(known, i): round(w, 3) for i, w in zip(merge.sources, merge.weights, strict=True)
        }
        for merge in found.merges
    }


def told(known: Population, found: Inference) -> list[list[str]]:
    return sorted([name(known, i) for i in lineage.members] for lineage in found.lineages)


def test_trained_points_are_no_averages(trained: dict[str, Floats]) -> None:
    assert find_merges(population(trained).vectors) == ()


@pytest.mark.parametrize("kind", RECIPES)
@pytest.mark.parametrize("place", [0, 20, 44])
def test_the_average_is_told_from_its_sources(trained: dict[str, Floats], kind: str, place: int) -> None:
    points = trained | {"mix": mixed(trained, RECIPES[kind])}
    order = np.insert(np.arange(len(trained)), place, len(trained))
    known = population(points, order)
    assert merges(known, infer(known)) == {"mix": {n: round(w, 3) for n, w in RECIPES[kind].items()}}


def test_lineages_are_those_without_the_average(trained: dict[str, Floats]) -> None:
    alone, points = population(trained), trained | {"mix": mixed(trained, RECIPES["uniform"])}
    known = population(points)
    found = infer(known)
    assert told(known, found) == sorted([*told(alone, infer(alone)), ["mix"]])
    place = found.placements[known.keys.index("0044/mix")]
    assert place.relation == "mixes" and place.parent is not None
    assert name(known, place.parent) in RECIPES["uniform"]
    lineage = found.lineages[place.lineage]
    assert lineage.members == (place.point,) and lineage.fork is not None and lineage.fork.parent == place.parent


@given(seed=st.integers(0, 1000))
@settings(max_examples=4, deadline=None)
def test_names_of_points_do_not_matter(trained: dict[str, Floats], seed: int) -> None:
    points = trained | {kind: mixed(trained, RECIPES[kind]) for kind in ("uniform", "tail", "task arithmetic")}
    one, two = population(points), population(points, np.random.default_rng(seed).permutation(len(points)))
    first, second = infer(one), infer(two)
    assert merges(one, first) == merges(two, second)
    assert set(merges(one, first)) == {"uniform", "tail", "task arithmetic"}
    assert told(one, first) == told(two, second)


def test_averages_of_averages_are_taken_apart_to_the_trained(trained: dict[str, Floats]) -> None:
    points = trained | {"first": mixed(trained, RECIPES["two"])}
    points |= {"second": mixed(points, {"first": 0.6, "b:7": 0.4})}
    known = population(points)
    assert merges(known, infer(known)) == {
        "first": {"a:7": 0.5, "c:7": 0.5},
        "second": {"b:7": 0.4, "a:7": 0.3, "c:7": 0.3},
    }


def test_what_was_trained_on_from_an_average_is_its_lineage(trained: dict[str, Floats]) -> None:
    soup = mixed(trained, RECIPES["uniform"])
    onward = synthetic_run(9, Walk(points=6, first=0.3), start=soup)
    points = trained | {"mix": soup} | {f"on:{i}": point for i, point in enumerate(onward)}
    known = population(points)
    found = infer(known)
    assert ["mix", *(f"on:{i}" for i in range(6))] in told(known, found)
    assert set(merges(known, found)) == {"mix"}
    first = found.placements[next(i for i in range(len(points)) if name(known, i) == "on:0")]
    assert first.relation == "extends" and first.position == 1 and name(known, first.parent or 0) == "mix"


def test_an_average_does_not_make_strangers_kin() -> None:
    runs = {n: synthetic_run(seed, Walk(points=8)) for seed, n in enumerate("abc")}
    points = {f"{n}:{i}": point for n, path in runs.items() for i, point in enumerate(path)}
    points |= {"mix": mixed(points, {"a:7": 0.4, "b:7": 0.3, "c:7": 0.3})}
    known = population(points)
    found = infer(known)
    assert told(known, found) == sorted([*([f"{n}:{i}" for i in range(8)] for n in "abc"), ["mix"]])
    assert merges(known, found) == {"mix": {"a:7": 0.4, "b:7": 0.3, "c:7": 0.3}}


def test_a_declared_run_wins(trained: dict[str, Floats]) -> None:
    points = trained | {"mix": mixed(trained, RECIPES["tail"])}
    facts = {n: Declared(run="d") for n in points if n.startswith("d:") or n == "mix"}
    known = population(points, declared=facts)
    found = infer(known)
    place = found.placements[known.keys.index("0044/mix")]
    assert place.relation == "mixes"
    assert {f"d:{i}" for i in range(8)} < {name(known, i) for i in found.lineages[place.lineage].members}
    assert set(merges(known, found)) == {"mix"}


def test_few_and_equal_points_do_no_harm() -> None:
    run = synthetic_run(0)[:3].astype(np.float32)
    for points in (run[:0], run[:1], run[:2], np.zeros((5, run.shape[1])), np.repeat(run[:1], 30, axis=0)):
        assert find_merges(points) == ()


@pytest.mark.parametrize("narrow", [np.float32, np.float16])
@pytest.mark.parametrize("seed", range(6))
def test_few_dimensions_say_what_all_say(seed: int, narrow: type, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(seed)
    path = list(synthetic_run(seed, Walk(points=4 + 2 * seed)))
    sources = rng.choice(len(path), 3, replace=False)
    path += [np.mean([path[i] for i in sources], axis=0), 1.4 * path[0] - 0.4 * path[-1], path[1]]
    values = np.stack([point.astype(narrow) for point in path]).astype(np.float32)
    rounding = None if narrow is np.float32 else lambda _: float(2e-4 * np.linalg.norm(values[0]))
    quick = find_merges(values, rounding=rounding)
    monkeypatch.setattr(merging._Family, "_may_be_average", lambda *_: True)
    assert quick == find_merges(values, rounding=rounding)
    assert quick or seed < 2 or rounding is not None  # of few points, or rounded ones, little can be said
