"""Verbs that read weights say where they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from mvc.porcelain.blame import blame
from mvc.porcelain.check import check
from mvc.porcelain.checkout import checkout
from mvc.porcelain.commits import commit
from mvc.porcelain.diff import diff
from mvc.porcelain.fsck import fsck
from mvc.porcelain.identify import identify
from mvc.porcelain.init import init
from mvc.porcelain.log import log
from mvc.porcelain.progress import Report
from mvc.porcelain.status import status
from mvc.porcelain.workspace import Workspace

Told = list[tuple[int, int | None, str]]
NAMES = [f"{layer}.weight" for layer in "abcd"]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    init(tmp_path)
    rng, paths = np.random.default_rng(0), []
    weights = {name: rng.normal(size=(8, 8)).astype(np.float32) for name in NAMES}
    for number in range(3):
        for name in NAMES:
            weights[name] = weights[name] + rng.normal(size=(8, 8)).astype(np.float32) / 100
        paths.append(tmp_path / f"{number}.safetensors")
        save_file(weights, paths[-1])
    opened = Workspace.open(tmp_path, author="t")
    for step, path in enumerate(paths[:2]):
        commit(opened, [path], step=step)
    return opened


VERBS: dict[str, Callable[[Workspace, Path, Report], object]] = {
    "diff": lambda space, root, told: diff(space, "./0.safetensors", "HEAD", directory=root, progress=told),
    "blame": lambda space, root, told: blame(space, "HEAD", directory=root, progress=told),
    "identify": lambda space, root, told: identify(space, [root / "2.safetensors"], progress=told),
    "checkout": lambda space, root, told: checkout(
        space, "HEAD", directory=root, target=Path("back.safetensors"), progress=told
    ),
}


@pytest.mark.parametrize("verb", VERBS)
def test_every_tensor_is_told(verb: str, workspace: Workspace, tmp_path: Path) -> None:
    told: Told = []
    VERBS[verb](workspace, tmp_path, lambda *what: told.append(what))
    assert [what for what in told if what[2] in NAMES] == [
        (done, 4, what[2]) for done, what in enumerate([one for one in told if one[2] in NAMES])
    ]
    assert {what for *_, what in told} >= set(NAMES)


def test_other_verbs_tell_of_files_commits_and_objects(workspace: Workspace, tmp_path: Path) -> None:
    told: Told = []

    def report(done: int, total: int | None, what: str) -> None:
        told.append((done, total, what))

    status(workspace, directory=tmp_path, progress=report)
    assert [what for *_, what in told] == ["0.safetensors", "1.safetensors", "2.safetensors"]
    told.clear()
    identify(workspace, [tmp_path / "0.safetensors", tmp_path / "2.safetensors"], progress=report)
    assert {(done, total, what) for done, total, what in told} == {(0, 2, "0.safetensors"), (1, 2, "2.safetensors")}
    told.clear()
    assert check(workspace, ["HEAD"], progress=report).checked == 1 and told[0][:2] == (0, 1)
    told.clear()
    result = fsck(workspace, full=True, progress=report)
    assert result.ok and told[-1] == (result.objects, result.objects, "decoding")


def test_an_index_that_is_built_on_the_way_tells_so(workspace: Workspace, tmp_path: Path) -> None:
    for file in (tmp_path / ".mvc" / "index").iterdir():
        file.unlink()
    told: Told = []
    again = Workspace.open(tmp_path)
    again.told = lambda *what: told.append(what)
    assert sum(len(row.commits) for row in log(again).lineages) == 2
    assert told
