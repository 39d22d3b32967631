"""`identify` says of which commits a file is the weighted average, and by what weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mvc.porcelain.commits import commit
from mvc.porcelain.identify import identify
from mvc.porcelain.results.matches import Identified
from mvc.porcelain.workspace import Workspace

Write = Callable[..., Path]
Arrays = dict[str, Any]


def average(parts: list[tuple[Arrays, float]], dtype: Any = np.float32) -> Arrays:
    names = parts[0][0]
    return {
        name: np.sum([w * part[name].astype(np.float64) for part, w in parts], axis=0).astype(dtype) for name in names
    }


def named(result: Identified, ids: dict[str, str]) -> dict[str, float]:
    assert result.match is not None and result.match.relation == "mixes" and result.mixture is not None
    assert result.match.commit == result.mixture[0].commit
    return {ids[part.commit]: round(part.weight, 3) for part in result.mixture}


@pytest.fixture
def siblings(write: Write, walk: Any) -> dict[str, Arrays]:
    """A base and the tips of four runs that go on from it, with every point between."""
    base = walk(1, 6)
    points = {f"base/{n}": point for n, point in enumerate(base)}
    for seed in range(2, 6):
        points |= {f"run{seed}/{n}": point for n, point in enumerate(walk(seed, 6, start=base[-1])[1:])}
    return points


def _commit(workspace: Workspace, write: Write, points: dict[str, Arrays]) -> dict[str, str]:
    """Commits ids → the points' names."""
    paths = {str(write(f"{name}.safetensors", point)): name for name, point in points.items()}
    made = commit(workspace, [Path(path) for path in paths]).commits
    return {row.id: name for row, name in zip(made, paths.values(), strict=True)}


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_mixtures_are_taken_apart(workspace: Workspace, write: Write, siblings: dict[str, Arrays], dtype: Any) -> None:
    ids = _commit(workspace, write, siblings)
    recipes = {
        "soup": {f"run{seed}/4": 0.25 for seed in range(2, 6)},
        "tail": {f"run3/{n}": 0.25 for n in range(1, 5)},
        "tasks": {"base/5": 1.4, "run2/4": 0.3, "run4/4": -0.7},
    }
    for name, recipe in recipes.items():
        parts = [(siblings[part], weight) for part, weight in recipe.items()]
        (result,) = identify(workspace, [write(f"{name}.safetensors", average(parts, dtype))]).results
        told = named(result, ids)
        assert set(told) == set(recipe) and result.reason == ""
        assert all(abs(told[part] - weight) < 0.01 for part, weight in recipe.items())


def test_a_missing_source_is_said(workspace: Workspace, write: Write, siblings: dict[str, Arrays]) -> None:
    soup = average([(siblings[f"run{seed}/4"], 0.25) for seed in range(2, 6)])
    ids = _commit(workspace, write, {name: point for name, point in siblings.items() if name != "run5/4"})
    (result,) = identify(workspace, [write("soup.safetensors", soup)]).results
    assert {f"run{seed}/4" for seed in range(2, 5)} <= set(named(result, ids))
    assert "missing" in result.reason and result.match is not None and result.match.confidence < 1


def test_trained_checkpoints_are_no_mixtures(workspace: Workspace, write: Write, siblings: dict[str, Arrays]) -> None:
    held = [name for n, name in enumerate(siblings) if n % 6 == 3]
    _commit(workspace, write, {name: point for name, point in siblings.items() if name not in held})
    for result in identify(workspace, [write(f"held/{name}.safetensors", siblings[name]) for name in held]).results:
        assert result.mixture is None
        assert result.match is not None and result.match.relation in ("descends", "precedes")


def test_large_tensors_are_found_by_sketch_and_checked_by_value(workspace: Workspace, write: Write, walk: Any) -> None:
    run = walk(1, 8, shapes={"fc.weight": (100, 90)})
    points = {str(n): point for n, point in enumerate(run)}
    ids = _commit(workspace, write, points)
    mixture = average([(run[7], 0.5), (run[6], 0.3), (run[5], 0.2)])
    hidden = {"fc.weight": mixture["fc.weight"].copy()}
    (result,) = identify(workspace, [write("mix.safetensors", mixture)]).results
    assert named(result, ids) == {"7": 0.5, "6": 0.3, "5": 0.2}
    hidden["fc.weight"] += np.random.default_rng(0).normal(size=(100, 90)).astype(np.float32)
    (result,) = identify(workspace, [write("noise.safetensors", hidden)]).results
    assert result.mixture is None
