"""`mvc check` sees an update along one direction that makes the step hardly longer, and says which tensor has it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mvc.porcelain import spectral
from mvc.porcelain.check import check
from mvc.porcelain.commits import commit
from mvc.porcelain.workspace import Workspace

SHAPES = {"fc1.weight": (24, 30), "fc1.bias": (24,), "fc2.weight": (16, 24)}


def along_one_direction(point: dict[str, Any], before: dict[str, Any], times: float = 2.0) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    name = "fc2.weight"
    direction = np.outer(rng.normal(size=16), rng.normal(size=24))
    length = times * np.linalg.norm(point[name] - before[name])
    return {**point, name: (point[name] + length * direction / np.linalg.norm(direction)).astype(np.float32)}


@pytest.fixture
def run(workspace: Workspace, write: Callable[..., Path], walk: Callable[..., list[Any]]) -> list[dict[str, Any]]:
    points = walk(5, 12, shapes=SHAPES)
    for index, point in enumerate(points[:-1]):
        commit(workspace, [write(f"{index:02}.safetensors", point)], step=index, run="a")
    return points


def test_one_direction_is_found_and_named(workspace: Workspace, write: Callable[..., Path], run: list[Any]) -> None:
    path = write("last.safetensors", along_one_direction(run[-1], run[-2]))
    (found,) = [item for item in check(workspace, [str(path)]).findings if item.rule == "MVC007"]
    assert found.tensor == "fc2.weight" and found.value < 0.7 * found.limit
    assert "directions" in found.message
    commit(workspace, [path], step=11, run="a")
    (again,) = [item for item in check(workspace, ["HEAD"]).findings if item.rule == "MVC007"]
    assert (again.tensor, again.value, again.probability) == (found.tensor, found.value, found.probability)


def test_a_healthy_run_is_not_found(workspace: Workspace, write: Callable[..., Path], run: list[Any]) -> None:
    commit(workspace, [write("last.safetensors", run[-1])], step=11, run="a")
    result = check(workspace, ["HEAD~8..HEAD"])
    assert result.checked == 8
    assert not [item for item in result.findings if item.rule == "MVC007"]


def test_the_score_counts_it_though_it_is_no_finding(
    workspace: Workspace, write: Callable[..., Path], run: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(write("last.safetensors", along_one_direction(run[-1], run[-2], times=0.5)))
    result = check(workspace, [path])
    assert not [item for item in result.findings if item.rule == "MVC007"]
    with_it = result.commits[0].score
    monkeypatch.setattr(spectral, "has_directions", lambda shape: False)
    without = check(workspace, [path]).commits[0].score
    assert with_it is not None and without is not None and with_it > without + 0.3


def test_steps_between_commits_are_kept_and_a_file_is_measured_once(
    workspace: Workspace, write: Callable[..., Path], run: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = []

    def counted(before: Any, now: Any) -> float | None:
        measured.append(now.shape)
        return rank(before, now)

    rank = spectral.effective_rank
    monkeypatch.setattr(spectral, "effective_rank", counted)
    check(workspace, ["HEAD~3..HEAD"])
    assert not measured
    path = str(write("last.safetensors", run[-1]))
    with_records = check(workspace, [path]).commits[0].score
    assert sorted(measured) == sorted([SHAPES["fc1.weight"], SHAPES["fc2.weight"]])
    monkeypatch.setattr(spectral, "_kept", lambda *_: {})
    assert check(workspace, [path]).commits[0].score == pytest.approx(with_records)
    assert len(measured) == 2 + 2 * 11
