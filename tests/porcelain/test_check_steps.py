"""`mvc check` judges steps the same way before a checkpoint is committed, after it, and in the log."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mvc.porcelain.check import check
from mvc.porcelain.commits import commit
from mvc.porcelain.log import log
from mvc.porcelain.reindex import reindex
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository

SHAPES = {"fc1.weight": (24, 30), "fc1.bias": (24,), "fc2.weight": (16, 24)}


@pytest.fixture
def run(workspace: Workspace, write: Callable[..., Path], walk: Callable[..., list[Any]]) -> list[dict[str, Any]]:
    points = walk(5, 12, shapes=SHAPES)
    commit(workspace, [write(f"{index:02}.safetensors", point) for index, point in enumerate(points[:-1])], run="a")
    return points


def along_one_direction(point: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    direction = np.outer(rng.normal(size=16), rng.normal(size=24))
    length = 3 * np.linalg.norm(point["fc2.weight"] - before["fc2.weight"])
    moved = point["fc2.weight"] + length * direction / np.linalg.norm(direction)
    return {**point, "fc2.weight": moved.astype(np.float32)}


def test_an_update_along_one_direction_is_found_before_and_after_it_is_committed(
    workspace: Workspace, write: Callable[..., Path], run: list[Any]
) -> None:
    path = write("last.safetensors", along_one_direction(run[-1], run[-2]))
    file = check(workspace, [str(path)])
    assert file.verdict == "fail" and "MVC004" in {finding.rule for finding in file.findings}
    assert [cause.probability for cause in file.commits[0].causes] == sorted(
        (cause.probability for cause in file.commits[0].causes), reverse=True
    )
    made = commit(workspace, [path], run="a").commits[0].id
    again = check(workspace, ["HEAD"])
    assert again.commits[0].score == pytest.approx(file.commits[0].score, abs=1e-3)
    assert {finding.rule for finding in again.findings} == {finding.rule for finding in file.findings}
    flags = {row.id: row.flags for lineage in log(workspace).lineages for row in lineage.commits}
    assert set(flags[made]) == {finding.rule for finding in again.findings}
    reindex(workspace)
    assert flags == {row.id: row.flags for lineage in log(workspace).lineages for row in lineage.commits}


def test_a_healthy_run_passes_from_the_sixth_checkpoint_on(
    workspace: Workspace, write: Callable[..., Path], run: list[Any]
) -> None:
    commit(workspace, [write("last.safetensors", run[-1])], run="a")
    (lineage,) = log(workspace).lineages
    result = check(workspace, [row.id for row in lineage.commits])
    assert [row.verdict for row in result.commits] == ["skip"] * 5 + ["pass"] * 7
    assert not result.findings and not any(row.flags for row in lineage.commits)


def test_walks_that_grow_one_by_one_are_those_of_one_go(
    workspace: Workspace, write: Callable[..., Path], run: list[Any], tmp_path: Path
) -> None:
    paths = [tmp_path / f"{index:02}.safetensors" for index in range(11)]
    other = Workspace.of(Repository.init(tmp_path / "other"), author=workspace.author)
    for path in paths:
        commit(other, [path], run="a")
    scores = [
        [row.score for row in check(one, [row.id for row in log(one).lineages[0].commits]).commits]
        for one in (workspace, other)
    ]
    assert scores[0] == scores[1]
