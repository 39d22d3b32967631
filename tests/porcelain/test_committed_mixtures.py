"""Committed averages stand beside the lineages with their sources and weights, however they were committed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mvc.porcelain.commits import commit
from mvc.porcelain.identify import identify
from mvc.porcelain.log import log
from mvc.porcelain.results.plain import to_json
from mvc.porcelain.show import show
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository

Write = Callable[..., Path]
Arrays = dict[str, Any]

RECIPES = {
    "soup": {"run2/4": 0.4, "run3/4": 0.35, "run4/4": 0.25},
    "tail": {f"run3/{n}": 0.25 for n in range(1, 5)},
    "tasks": {"base/5": -0.4, "run2/4": 0.8, "run4/4": 0.6},
}


def average(points: dict[str, Arrays], recipe: dict[str, float], dtype: Any = np.float32) -> Arrays:
    return {
        name: np.sum([w * points[part][name].astype(np.float64) for part, w in recipe.items()], axis=0).astype(dtype)
        for name in next(iter(points.values()))
    }


@pytest.fixture
def points(walk: Any) -> dict[str, Arrays]:
    """A base, three runs that go on from it, and averages of them."""
    base = walk(1, 6)
    found = {f"base/{n}": point for n, point in enumerate(base)}
    for seed in range(2, 5):
        found |= {f"run{seed}/{n}": point for n, point in enumerate(walk(seed, 6, start=base[-1])[1:])}
    return found | {name: average(found, recipe) for name, recipe in RECIPES.items()}


def add(workspace: Workspace, write: Write, points: dict[str, Arrays], names: Sequence[str] = ()) -> dict[str, str]:
    """Commits the points, or those named, at once: id → name."""
    chosen = list(names or points)
    made = commit(workspace, [write(f"{name}.safetensors", points[name]) for name in chosen])
    return {row.id: name for row, name in zip(made.commits, chosen, strict=True)}


def told(workspace: Workspace, names: dict[str, str]) -> tuple[dict[str, dict[str, float]], list[list[str]]]:
    """Averages with their sources and weights, and lineages, by names."""
    lineages = log(workspace).lineages
    mixtures = {
        names[c.id]: {names[part.commit]: round(part.weight, 3) for part in c.mixture}
        for row in lineages
        for c in row.commits
        if c.mixture
    }
    return mixtures, sorted([names[c.id] for c in row.commits] for row in lineages)


def test_averages_are_told_with_their_sources(workspace: Workspace, write: Write, points: dict[str, Arrays]) -> None:
    names = add(workspace, write, points)
    ids = {name: commit for commit, name in names.items()}
    mixtures, lineages = told(workspace, names)
    assert mixtures == RECIPES
    assert all([name] in lineages for name in RECIPES)
    row = next(row for row in to_json(log(workspace))["lineages"] if row["id"] == ids["soup"])
    (soup,) = row["commits"]
    assert (soup["relation"], soup["parent"], soup["position"]) == ("mixes", ids["run2/4"], 0)
    assert row["forked_from"]["commit"] == ids["run2/4"]
    assert [part["commit"] for part in soup["mixture"]] == [ids[name] for name in RECIPES["soup"]]
    parts = show(workspace, ids["soup"]).inference["mixture"]
    assert [part["weight"] for part in parts] == pytest.approx([0.4, 0.35, 0.25], abs=1e-4)
    assert parts[0]["commit"] == ids["run2/4"] and parts[0]["lineage"] == row["forked_from"]["lineage"]


@pytest.mark.parametrize("seed", range(3))
def test_order_and_batches_do_not_matter(
    workspace: Workspace, write: Write, points: dict[str, Arrays], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    order = [list(points)[i] for i in rng.permutation(len(points))]
    cuts = [0, *sorted(rng.choice(np.arange(1, len(order)), 3, replace=False).tolist()), len(order)]
    names: dict[str, str] = {}
    for start, stop in pairwise(cuts):
        names |= add(workspace, write, points, order[start:stop])
    mixtures, lineages = told(workspace, names)
    assert mixtures == RECIPES
    assert all([name] in lineages for name in RECIPES)
    other = Workspace.of(Repository.init(workspace.repository.root.parent / "other"), author="A Tester")
    assert told(other, add(other, write, points)) == (mixtures, lineages)


def test_half_precision_and_large_tensors(workspace: Workspace, write: Write, walk: Any) -> None:
    run = walk(1, 8, shapes={"fc.bias": (100,), "fc.weight": (100, 90)})
    known = {f"run/{n}": point for n, point in enumerate(run)}
    recipe = {"run/5": 0.3, "run/6": 0.3, "run/7": 0.4}
    known["mix"] = average(known, recipe, np.float16)
    mixtures, _ = told(workspace, add(workspace, write, known))
    assert mixtures == {"mix": pytest.approx(recipe, abs=0.01)}


def test_a_file_is_taken_apart_to_trained_commits(
    workspace: Workspace, write: Write, points: dict[str, Arrays]
) -> None:
    names = add(workspace, write, points)
    half = average(points, {"run2/4": 0.5, "run3/4": 0.5})
    (result,) = identify(workspace, [write("half.safetensors", half)]).results
    assert result.mixture is not None and result.reason == ""
    assert {names[part.commit]: round(part.weight, 3) for part in result.mixture} == {"run2/4": 0.5, "run3/4": 0.5}
