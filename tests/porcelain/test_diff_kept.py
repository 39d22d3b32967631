"""Large models are compared by what the index keeps: exactly where a step was measured, else with a stated error."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import save_file

from mvc.cli.main import cli
from mvc.porcelain.commits import commit
from mvc.porcelain.comparing import FEW_VALUES, LOW_RANK, MOVED_UNITS
from mvc.porcelain.diff import diff
from mvc.porcelain.init import init
from mvc.porcelain.kept import READ
from mvc.porcelain.results.diffs import DiffResult
from mvc.porcelain.workspace import Workspace

SIDE = 1024


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Four checkpoints of a walk with one tensor that stays and one that steps twice only, and a stranger."""
    root = tmp_path_factory.mktemp("large")
    init(root)
    rng = np.random.default_rng(0)
    point = {f"l{i}.weight": (0.02 * rng.normal(size=(SIDE, SIDE))).astype(np.float32) for i in range(3)}
    point["l0.bias"] = rng.normal(size=64).astype(np.float32)
    assert sum(value.size for value in point.values()) > READ
    paths = []
    for i in range(5):
        if i == 4:
            point = {name: rng.permutation(value.reshape(-1)).reshape(value.shape) for name, value in point.items()}
        paths.append(root / f"{i}.safetensors")
        save_file(point, paths[-1])
        moving = {name: value for name, value in point.items() if name != "l2.weight"}
        step = {name: 1e-3 * rng.standard_t(4, size=value.shape) for name, value in moving.items()}
        point = {**point, **{name: (value + step[name]).astype(np.float32) for name, value in moving.items()}}
    workspace = Workspace.open(root)
    commit(workspace, paths)
    return workspace


def _revisions(workspace: Workspace) -> list[str]:
    return list(workspace.repository.state().commits)


def _both(workspace: Workspace, a: int, b: int) -> tuple[DiffResult, DiffResult]:
    ids = _revisions(workspace)
    return diff(workspace, ids[a], ids[b]), diff(workspace, ids[a], ids[b], exact=True)


@pytest.mark.parametrize("pair", [(1, 2), (2, 1)])
def test_neighbours_have_exact_figures_that_nobody_read(
    workspace: Workspace, pair: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    told, read = _both(workspace, *pair)
    assert told.exact and told.error == 0 and told.unseen == (LOW_RANK,)
    assert told.distance == pytest.approx(read.distance) and told.cosine == pytest.approx(read.cosine)
    assert [row.name for row in told.tensors] == [row.name for row in read.tensors]
    for one, other in zip(told.tensors, read.tensors, strict=True):
        assert (one.status, one.changed) == (other.status, other.changed)
        assert one.max_abs == pytest.approx(other.max_abs)
        assert one.relative_distance == pytest.approx(other.relative_distance)
    monkeypatch.setattr("mvc.porcelain.comparing.read_array", lambda *_: pytest.fail("a tensor was read"))
    assert diff(workspace, *(_revisions(workspace)[i] for i in pair)) == told


@pytest.mark.parametrize("pair", [(0, 2), (0, 3), (3, 1)])
def test_others_are_estimated_within_the_error_that_is_told(
    workspace: Workspace, pair: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    told, read = _both(workspace, *pair)
    assert not told.exact and read.exact and 0 < told.error < 0.05
    assert told.unseen == (LOW_RANK, FEW_VALUES) and read.unseen == ()
    assert abs(told.distance / read.distance - 1) < 4 * told.error
    exact = {row.name: row for row in read.tensors}
    for row in told.tensors:
        other = exact[row.name]
        assert row.status == other.status
        if row.status == "identical":
            assert (row.distance, row.max_abs, row.changed) == (0.0, 0.0, 0)
        else:
            assert row.distance is not None and other.distance is not None
            assert abs(row.distance / other.distance - 1) <= 4 * row.error + 1e-4
            assert row.max_abs is None and row.changed is None
    assert all(layer.error <= 0.04 for layer in told.layers)
    monkeypatch.setattr("mvc.porcelain.comparing.read_array", lambda *_: pytest.fail("a tensor was read"))
    assert diff(workspace, *(_revisions(workspace)[i] for i in pair)) == told


def test_strangers_may_have_moved_units_for_all_that_is_known(workspace: Workspace) -> None:
    told, read = _both(workspace, 0, 4)
    assert MOVED_UNITS in told.unseen and "--exact" in told.verdict
    assert read.verdict.startswith("independent models")


def test_few_values_are_read(workspace: Workspace) -> None:
    ids = _revisions(workspace)
    found = diff(workspace, ids[0], ids[2], tensor="l0*")
    assert found.exact and all(row.max_abs is not None for row in found.tensors)


def test_the_text_says_what_it_rests_on(workspace: Workspace) -> None:
    ids = _revisions(workspace)

    def run(*arguments: str) -> str:
        done = CliRunner().invoke(cli, ["-C", str(workspace.repository.root), "diff", *arguments])
        assert done.exit_code == 0, done.output
        return " ".join(done.stdout.split())

    assert "estimates from the sketches kept at commit (distance ±" in run(ids[0], ids[2])
    assert "from the figures kept at commit, without a look at what is low rank; read" in run(ids[1], ids[2])
    assert "kept at commit" not in run(ids[0], ids[2], "--exact")
    assert json.loads(run(ids[0], ids[2], "--json"))["exact"] is False


def test_the_paths_of_committed_files_are_read(workspace: Workspace) -> None:
    root = workspace.repository.root
    found = diff(workspace, "./0.safetensors", "./2.safetensors", directory=Path(root))
    assert found.exact and found.unseen == ()
