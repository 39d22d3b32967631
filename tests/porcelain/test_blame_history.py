"""Blame through a repository: forks, averages of lineages, another head, and files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mvc.index import PointRow
from mvc.porcelain.ancestry import ancestry_of_commit
from mvc.porcelain.blame import blame
from mvc.porcelain.commits import commit
from mvc.porcelain.reading import History
from mvc.porcelain.workspace import Workspace

Write = Callable[..., Path]
Arrays = dict[str, Any]
SOUP = {"run2/4": 0.5, "run3/4": 0.3, "run4/4": 0.2}


def mixed(points: dict[str, Arrays], recipe: dict[str, float]) -> Arrays:
    return {
        name: np.sum([w * points[part][name].astype(np.float64) for part, w in recipe.items()], axis=0).astype("f4")
        for name in points["base/0"]
    }


@pytest.fixture
def points(walk: Any) -> dict[str, Arrays]:
    """A base, three runs that go on from it, and an average of them."""
    base = walk(1, 6)
    found = {f"base/{n}": point for n, point in enumerate(base)}
    for seed in range(2, 5):
        found |= {f"run{seed}/{n}": point for n, point in enumerate(walk(seed, 6, start=base[-1])[1:])}
    return found | {"soup": mixed(found, SOUP)}


@pytest.fixture
def names(workspace: Workspace, write: Write, points: dict[str, Arrays]) -> dict[str, str]:
    """Committed with their steps, for so short runs tell no direction by themselves."""
    found = {}
    for name, point in points.items():
        step = None if name == "soup" else int(name[-1]) + 6 * name.startswith("run")
        (row,) = commit(workspace, [write(f"{name}.safetensors", point)], step=step).commits
        found[row.id] = name
    return found


def test_an_average_of_lineages_is_followed_into_each(
    workspace: Workspace, points: dict[str, Arrays], names: dict[str, str]
) -> None:
    soup = next(commit_id for commit_id, name in names.items() if name == "soup")
    result = blame(workspace, soup)
    assert {names[point.commit] for point in result.trajectory} == points.keys()
    for row in result.tensors:
        told = {names[part.commit]: part.share for part in row.contributions}
        root, whole = points["base/0"][row.name], points["soup"][row.name].astype(np.float64).ravel()
        whole = whole - root.ravel()
        squared = float(whole @ whole)
        assert names[row.commit] == "soup" and row.relation == "mixes"
        assert sum(told.values()) == pytest.approx(1, abs=1e-5)
        for run, weight in (("base", 1.0), ("run2", 0.5), ("run3", 0.3), ("run4", 0.2)):
            for n in range(1 if run == "base" else 0, 5):
                before = points[f"{run}/{n - 1}" if n else "base/5"][row.name].astype(np.float64).ravel()
                step = points[f"{run}/{n}"][row.name].ravel() - before
                assert told[f"{run}/{n}"] == pytest.approx(weight * float(step @ whole) / squared, abs=1e-4)
        assert abs(told.get("soup", 0)) < 1e-3  # the weights that were found are not those given to the last digit


def test_a_file_of_a_commit_is_blamed_as_that_commit(
    workspace: Workspace, write: Write, points: dict[str, Arrays], names: dict[str, str]
) -> None:
    path = write("again.safetensors", points["run3/2"])
    result = blame(workspace, str(path))
    assert names[result.commit] == "run3/2"
    assert result == blame(workspace, result.commit)


def test_a_file_goes_on_from_the_nearest_tip(
    workspace: Workspace, write: Write, points: dict[str, Arrays], names: dict[str, str]
) -> None:
    new = {**points["run3/4"], "fc2.weight": points["run3/4"]["fc2.weight"] + np.float32(0.01)}
    path = str(write("new.safetensors", new))
    result = blame(workspace, path)
    rows = {row.name: row for row in result.tensors}
    assert (result.commit, rows["fc2.weight"].commit, rows["fc2.weight"].relation) == (path, path, "extends")
    assert names[rows["fc1.weight"].commit] == "run3/4"
    assert result.trajectory[-1].lineage is None and result.trajectory[-1].commit == path


def test_another_head_on_the_same_body(
    workspace: Workspace, write: Write, points: dict[str, Arrays], names: dict[str, str]
) -> None:
    rng = np.random.default_rng(7)
    body = {name: value for name, value in points["run2/4"].items() if not name.startswith("fc2")}
    head = [{**body, "fc2.weight": rng.normal(size=(9, 12)).astype(np.float32)}]
    head.append({**head[0], "fc2.weight": head[0]["fc2.weight"] + np.float32(0.05)})
    made = commit(workspace, [write(f"head{i}.safetensors", one) for i, one in enumerate(head)])
    names |= {row.id: f"head/{i}" for i, row in enumerate(made.commits)}
    rows = {row.name: row for row in blame(workspace, made.commits[1].id).tensors}
    assert {name: names[row.commit] for name, row in rows.items() if name != "fc2.weight"} == dict.fromkeys(
        body, "run2/4"
    )
    assert names[rows["fc2.weight"].commit] in ("head/0", "head/1")
    assert "base/1" in {names[part.commit] for part in rows["fc1.weight"].contributions}


def test_whose_tensors_are_whose_is_read_once_for_many_commits(
    workspace: Workspace, names: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    history, asked = History(workspace), []
    find = PointRow.find.__func__  # type: ignore[attr-defined]

    def finding(kind: type[PointRow], reader: Any, **where: Any) -> list[PointRow]:
        asked.append(where)
        return find(kind, reader, **where)  # type: ignore[no-any-return]

    monkeypatch.setattr(PointRow, "find", classmethod(finding))
    for commit_id in names:
        assert ancestry_of_commit(history, commit_id).points[-1].commit == commit_id
    assert asked.count({}) == 1  # of all points


def test_large_tensors_are_read_where_that_is_asked_for(workspace: Workspace, write: Write, walk: Any) -> None:
    run = walk(1, 8, shapes={"big": (120, 100)})
    made = commit(workspace, [write(f"{i}.safetensors", point) for i, point in enumerate(run)])
    last = made.commits[-1].id
    (row,) = blame(workspace, last).tensors
    assert all(part.error == 0 for part in row.contributions)  # few enough to be read anyhow
    assert row == blame(workspace, last, exact=True).tensors[0]
