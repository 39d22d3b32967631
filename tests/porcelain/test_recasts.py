"""A copy in another precision is told as what it is, and changes nothing for those that it stands beside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from mvc.cli.lineages import markers
from mvc.cli.reasons import sentences
from mvc.geometry import sign_tensor
from mvc.porcelain.check import check
from mvc.porcelain.commits import commit
from mvc.porcelain.explain import explain
from mvc.porcelain.identify import identify
from mvc.porcelain.log import log
from mvc.porcelain.recasts import Recast, find_recasts
from mvc.porcelain.reindex import reindex
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository

Write = Callable[..., Path]
Arrays = dict[str, Any]

#: one matrix is too large for signatures to hold its values
SHAPES = {"fc1.weight": (72, 60), "fc1.bias": (72,), "fc2.weight": (16, 72)}
#: copy → the point that it was made of
EXPORTS = {"half-0": "run-00", "half-5": "run-05", "half-11": "run-11", "brain-11": "run-11", "wide-5": "half-5"}


def cast(point: Arrays, dtype: Any) -> Arrays:
    return {name: value.astype(dtype) for name, value in point.items()}


@pytest.fixture
def points(walk: Any) -> dict[str, Arrays]:
    """A run of twelve, and exports of its ends and its middle; one of them was widened again, of one only matrices."""
    found = {f"run-{n:02}": point for n, point in enumerate(walk(5, 12, shapes=SHAPES))}
    found |= {f"half-{n}": cast(found[f"run-{n:02}"], np.float16) for n in (0, 5, 11)}
    found["half-5"]["fc1.bias"] = found["run-05"]["fc1.bias"]
    return found | {
        "brain-11": cast(found["run-11"], ml_dtypes.bfloat16),
        "wide-5": cast(found["half-5"], np.float32),
    }


def repository(directory: Path) -> Workspace:
    return Workspace.of(Repository.init(directory), author="A Tester <t@example.org>")


def add(workspace: Workspace, write: Write, points: dict[str, Arrays], names: Sequence[str], **facts: Any) -> None:
    commit(workspace, [write(f"{name}.safetensors", points[name]) for name in names], **facts)


def steps(workspace: Workspace) -> list[Any]:
    """All that is told of the steps of training, of copies nothing."""
    return [
        (lineage.direction, lineage.forked_from, [
            (Path(row.path).stem, row.relation, row.distance, row.turning_angle, row.flags)
            for row in lineage.commits
            if "precision" not in row.evidence
        ])
        for lineage in log(workspace).lineages
    ]  # fmt: skip


def copies(workspace: Workspace) -> dict[str, tuple[str, str, str]]:
    """Copy → relation, precision, and what it was made of."""
    rows = {row.id: row for lineage in log(workspace).lineages for row in lineage.commits}
    return {
        Path(row.path).stem: (row.relation, row.evidence["precision"], Path(rows[row.parent or ""].path).stem)
        for row in rows.values()
        if "precision" in row.evidence
    }


@pytest.mark.parametrize("order", ["after", "before", "mixed"])
def test_exports_change_nothing_whenever_they_are_committed(
    tmp_path: Path, write: Write, points: dict[str, Arrays], order: str
) -> None:
    alone, both = repository(tmp_path / "alone"), repository(tmp_path / "both")
    run = [name for name in points if name not in EXPORTS]
    add(alone, write, points, run)
    if order == "mixed":
        names = sorted(points, key=lambda name: (hash_of(name), name))
        for start in range(0, len(names), 4):
            add(both, write, points, names[start : start + 4])
    else:
        for part in (list(EXPORTS), run)[:: -1 if order == "after" else 1]:
            add(both, write, points, part)
    assert steps(both) == steps(alone)
    precisions = {"half": "float16", "brain": "bfloat16", "wide": "float32"}
    expected = {copy: ("copies", precisions[copy.split("-")[0]], source) for copy, source in EXPORTS.items()}
    assert copies(both) == expected
    commits = [row.id for lineage in log(both).lineages for row in lineage.commits]
    assert check(both, commits).verdict == "pass"
    reindex(both)
    assert copies(both) == expected and steps(both) == steps(alone)


def hash_of(name: str) -> int:
    """Some order that is neither time nor name, the same on every machine."""
    return sum(name.encode()) * 7919 % 101


def test_a_copy_is_called_by_its_precision(workspace: Workspace, write: Write, points: dict[str, Arrays]) -> None:
    add(workspace, write, points, [name for name in points if name.startswith("run")])
    add(workspace, write, points, ["half-11"])
    (lineage,) = log(workspace).lineages
    original, copy = lineage.commits[-2:]
    assert (copy.parent, copy.relation, copy.turning_angle) == (original.id, "copies", None)
    change = [(points["half-11"][name].astype(np.float64) - points["run-11"][name]).ravel() for name in SHAPES]
    assert copy.distance == pytest.approx(np.linalg.norm(np.concatenate(change)), rel=1e-5)
    assert ("copy in float16", "warn") in markers(copy)
    told = next(iter(sentences(explain([copy.id], lambda: workspace).commits[0])))
    assert told == f"It is {original.id[:8]} in another precision, float16: 100 % sure."
    other = write("elsewhere.safetensors", points["brain-11"])
    assert not check(workspace, [str(other)]).findings
    (found,) = identify(workspace, [other]).results
    assert found.match is not None
    assert (found.match.commit, found.match.relation, found.match.transform) == (original.id, "copy", "cast")


def test_training_goes_on_in_half_precision_from_the_cast(
    workspace: Workspace, write: Write, points: dict[str, Arrays], walk: Any
) -> None:
    half = points["half-11"]
    rest = [cast(point, np.float16) for point in walk(5, 13, shapes=SHAPES)[12:]]
    jump = {name: value + np.float16(0.5) * np.sign(value) for name, value in rest[0].items()}
    run = [name for name in points if name.startswith("run")]
    more = {"next": rest[0], "jump": cast(jump, np.float16)}
    add(workspace, write, {**points, "cast": half, **more}, [*run, "cast", "next"], run="a")
    (lineage,) = log(workspace).lineages
    assert [Path(row.path).stem for row in lineage.commits] == [*run, "cast", "next"]
    assert copies(workspace) == {"cast": ("copies", "float16", "run-11")}
    assert not any(row.flags for row in lineage.commits)
    file = check(workspace, [str(write("jump.safetensors", more["jump"]))])
    assert file.verdict == "fail" and "MVC004" in {finding.rule for finding in file.findings}


def test_what_was_rounded_to_eight_bits_is_no_copy_in_another_precision(
    workspace: Workspace, write: Write, points: dict[str, Arrays]
) -> None:
    last = points["run-11"]
    grid = {name: np.abs(value).max() / 127 for name, value in last.items()}
    eight = {name: (np.round(value / grid[name]) * grid[name]).astype(np.float32) for name, value in last.items()}
    named = {**points, "eight": eight, "half": cast(eight, np.float16)}
    for step, name in enumerate([*(name for name in points if name.startswith("run")), "eight"]):
        add(workspace, write, named, [name], step=float(step))
    add(workspace, write, named, ["half"])
    assert list(copies(workspace).values()) == [("copies", "float16", "eight")]
    flagged = {Path(row.path).stem for line in log(workspace).lineages for row in line.commits if row.flags}
    assert flagged == {"eight"}


def test_a_cast_that_flushes_values_is_damage(workspace: Workspace, write: Write, points: dict[str, Arrays]) -> None:
    small = {name: {**points[name], "fc1.weight": points[name]["fc1.weight"] * np.float32(2e-7)} for name in points}
    run = [name for name in points if name.startswith("run")]
    add(workspace, write, {**small, "flushed": cast(small["run-11"], np.float16)}, [*run, "flushed"])
    assert not copies(workspace)
    flags = {Path(row.path).stem: row.flags for line in log(workspace).lineages for row in line.commits}
    assert "MVC017" in flags["flushed"]


def test_a_run_of_its_own_stays_one(workspace: Workspace, write: Write, points: dict[str, Arrays]) -> None:
    run = [name for name in points if name.startswith("run")]
    add(workspace, write, points, run, run="training")
    add(workspace, write, points, ["half-5", "half-11"], run="exports")
    assert not copies(workspace)
    assert sorted(len(line.commits) for line in log(workspace).lineages) == [2, 12]
    assert not any(row.flags for line in log(workspace).lineages for row in line.commits)


def test_a_run_whose_matrices_are_frozen_is_not_read_pair_by_pair() -> None:
    rng = np.random.default_rng(0)
    arrays: Arrays = {"matrix": rng.normal(size=(40, 50)).astype(np.float32)}
    bias = rng.normal(size=40)
    tensors = {}
    for n in range(60):
        bias = bias + 0.01 * rng.normal(size=40)
        arrays[f"bias-{n}"] = bias.astype(np.float32)
        tensors[f"run-{n:02}"] = ["matrix", f"bias-{n}"]
    arrays["half"] = arrays["bias-7"].astype(np.float16)
    tensors["export"] = ["matrix", "half"]
    asked: list[str] = []

    def read(tensor: str) -> Any:
        asked.append(tensor)
        return arrays[tensor]

    signatures = {tensor: sign_tensor(array) for tensor, array in arrays.items()}
    found = find_recasts(tensors, signatures, [(40, 50), (40,)], read, {})
    assert found == {"export": Recast("run-07", "float16")}
    assert len(asked) < len(tensors)
