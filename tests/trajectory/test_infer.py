"""Lineages of synthetic populations: runs, order, direction, forks, and that names of points do not matter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mvc.geometry import sign_tensor
from mvc.testing.trajectories import SHAPES, Walk, synthetic_run, tensors_of
from mvc.trajectory import Declared, Inference, Population, identify, infer, lay_out


def population(runs: dict[str, np.ndarray], seed: int, declared: dict[str, Declared] | None = None) -> Population:
    """Points under random keys; a point's truth is ``run:place`` in `truth_of`."""
    rng = np.random.default_rng(seed)
    points = {f"{rng.integers(1 << 60):015x}/{run}:{i}": w for run, path in runs.items() for i, w in enumerate(path)}
    keys = tuple(sorted(points))
    vectors = [np.concatenate([sign_tensor(t).values for t in tensors_of(points[key]).values()]) for key in keys]
    facts = declared or {}
    return Population(
        keys,
        np.stack(vectors),
        lay_out(SHAPES.items()),
        tuple(facts.get(key.split("/")[1], Declared()) for key in keys),
    )


def told(found: Inference, known: Population) -> list[list[str]]:
    return sorted([known.keys[i].split("/")[1] for i in lineage.members] for lineage in found.lineages)


def path(run: str, count: int) -> list[str]:
    return [f"{run}:{i}" for i in range(count)]


@pytest.mark.parametrize("seed", range(5))
def test_runs_are_found_whole_in_order_and_forward(seed: int) -> None:
    runs = {f"r{i}": synthetic_run(100 * seed + i, Walk(points=8 + 3 * i)) for i in range(5)}
    known = population(runs, seed)
    found = infer(known)
    assert told(found, known) == sorted(path(run, len(points)) for run, points in runs.items())
    assert all(lineage.direction.source == "weights" for lineage in found.lineages)
    assert all(0 <= placement.confidence <= 1 for placement in found.placements)


def test_a_large_model_with_no_kin_is_a_lineage() -> None:
    known = population({"one": synthetic_run(1)[:1]}, 0)
    blocks = tuple(replace(block, numel=1 << 22) for block in known.blocks)
    found = infer(replace(known, blocks=blocks, distance=lambda _a, _b: 1.0))
    assert told(found, known) == [["one:0"]]


@pytest.mark.parametrize(("at", "length"), [(4, 8), (9, 8), (14, 4)])
def test_a_fork_is_attached_to_its_parent(at: int, length: int) -> None:
    main = synthetic_run(1)
    fork = synthetic_run(2, Walk(points=length, first=0.2), start=main[at])
    known = population({"main": main, "fork": fork, "other": synthetic_run(3)}, at)
    found = infer(known)
    assert told(found, known) == sorted([path("main", 20), path("fork", length), path("other", 20)])
    branch = next(lineage for lineage in found.lineages if lineage.fork)
    assert known.keys[branch.fork.parent].endswith(f"/main:{at}")  # type: ignore[union-attr]
    assert [p.relation for p in found.placements if p.parent is None] == ["starts", "starts"]


@given(seed=st.integers(0, 1000))
@settings(max_examples=5, deadline=None)
def test_names_of_points_do_not_matter(seed: int) -> None:
    main = synthetic_run(7)
    runs = {"a": main, "b": synthetic_run(8, Walk(points=6, first=0.2), start=main[10]), "c": synthetic_run(9)}
    one, two = population(runs, seed), population(runs, seed + 1)
    assert told(infer(one), one) == told(infer(two), two)


def test_the_same_population_gives_the_same_inference() -> None:
    known = population({"a": synthetic_run(1), "b": synthetic_run(2)}, 0)
    assert infer(known) == infer(known)


def test_declared_steps_win_and_a_contradiction_is_said() -> None:
    run = synthetic_run(4, Walk(points=6))
    steps = {f"r:{i}": Declared(step=float(-i)) for i in range(6)}
    known = population({"r": run}, 0, steps)
    found = infer(known)
    assert told(found, known) == [path("r", 6)[::-1]]
    assert found.lineages[0].direction.source == "declared"
    assert len(found.warnings) == 1 and "contradict" in found.warnings[0]


def test_a_declared_run_wins_over_the_weights() -> None:
    declared = {"a:0": Declared(run="mine"), "b:0": Declared(run="mine")}
    known = population({"a": synthetic_run(1, Walk(points=1)), "b": synthetic_run(2, Walk(points=1))}, 0, declared)
    assert len(infer(known).lineages) == 1


def test_strangers_alone_are_lineages_of_one() -> None:
    known = population({f"s{i}": synthetic_run(i, Walk(points=1)) for i in range(6)}, 0)
    found = infer(known)
    assert len(found.lineages) == 6
    assert all(lineage.direction.source == "undecided" for lineage in found.lineages)


def test_broken_and_empty_points_do_not_crash() -> None:
    runs = {"a": synthetic_run(1), "zero": np.zeros((1, synthetic_run(1).shape[1]))}
    runs["nan"] = np.full_like(runs["zero"], np.nan)
    known = population({"a": runs["a"], "zero": runs["zero"]}, 0)
    assert path("a", 20) in told(infer(known), known)
    empty = Population((), np.empty((0, 3), np.float32), (), ())
    assert infer(empty) == Inference((), ())


def test_identify_names_descendants_and_strangers() -> None:
    runs = {"a": synthetic_run(1), "b": synthetic_run(2)}
    known = population(runs, 0)

    def vector(weights: np.ndarray) -> np.ndarray:
        return np.concatenate([sign_tensor(t).values for t in tensors_of(weights).values()])

    def answer(weights: np.ndarray) -> tuple[str, str] | None:
        found = identify(known, vector(weights))
        return None if found is None else (known.keys[found.point].split("/")[1], found.relation)

    assert answer(runs["a"][12]) == ("a:12", "same")
    assert answer(synthetic_run(3)[12]) is None
    later = synthetic_run(5, Walk(points=1, first=0.05), start=runs["a"][19])[0]
    assert answer(later) == ("a:19", "descends")
