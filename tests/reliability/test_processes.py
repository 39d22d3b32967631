"""Many processes at one repository (row 31), and what is only seen from end to end."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from mvc.cli.table import COMMANDS
from mvc.errors import FormatError
from mvc.formats import OpenedCheckpoint
from mvc.porcelain.checkout import checkout
from mvc.porcelain.commits import commit
from mvc.porcelain.log import log
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository, check_repository

COMMITTER = """
import sys
from pathlib import Path
import mvc
repository = mvc.Repository.open(sys.argv[1], author="t")
for path in sys.argv[2:]:
    print(*[row.id for row in repository.commit(path).commits], flush=True)
"""
HOLDER = """
import sys
from mvc.repository import Repository
with Repository.open(sys.argv[1]).lock(command="a long commit"):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.of(Repository.init(tmp_path / "repo"), author="t")


def models(directory: Path, count: int) -> list[Path]:
    rng = np.random.default_rng(0)
    paths = []
    for n in range(count):
        paths.append(directory / f"{n}.safetensors")
        save_file({"w": rng.normal(size=(12, 8)).astype(np.float32)}, paths[-1])
    return paths


def test_eight_committers_of_files_all_land(workspace: Workspace, tmp_path: Path) -> None:
    files = models(tmp_path, 24)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", COMMITTER, str(workspace.repository.root), *map(str, files[n::8])],
            stdout=subprocess.PIPE,
            text=True,
        )
        for n in range(8)
    ]
    outputs = [process.communicate(timeout=300)[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0] * 8
    seen = Workspace.open(workspace.repository.root)
    commits = seen.repository.state().commits
    assert sorted(commits) == sorted(commit_id for output in outputs for commit_id in output) and len(commits) == 24
    for output in outputs:  # each one's own come in its own order
        assert [commit_id for commit_id in commits if commit_id in output] == output
    assert sorted(row.id for lineage in log(seen).lineages for row in lineage.commits) == sorted(commits)
    assert check_repository(seen.repository).findings == ()


def test_a_wait_for_the_lock_is_seen(workspace: Workspace, tmp_path: Path) -> None:
    (file,) = models(tmp_path, 1)
    root = workspace.repository.root
    commit(workspace, [file])
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    waiting = subprocess.Popen(
        [sys.executable, "-m", "mvc.cli.main", "tag", "v1"], cwd=root, stderr=subprocess.PIPE, text=True
    )
    assert waiting.stderr is not None
    line = waiting.stderr.readline()
    holder.communicate("go\n")
    assert line.startswith(f"waiting up to 30 s for process {holder.pid} on ") and "(a long commit)" in line
    waiting.communicate(timeout=60)
    assert waiting.returncode == 0 and set(Repository.open(root).state().tags) == {"v1"}


def test_tied_tensors_are_tied_after_a_checkout(workspace: Workspace, tmp_path: Path) -> None:
    shared = torch.arange(12.0).reshape(3, 4)
    torch.save({"embed.weight": shared, "head.weight": shared, "part": shared[1:]}, tmp_path / "m.pt")
    commit(workspace, [tmp_path / "m.pt"])
    checkout(workspace, "HEAD", directory=tmp_path, target=tmp_path / "back.pt")
    assert (tmp_path / "back.pt").read_bytes() == (tmp_path / "m.pt").read_bytes()
    state = torch.load(tmp_path / "back.pt", weights_only=True)
    state["embed.weight"][1, 0] = 77.0
    assert state["head.weight"][1, 0] == state["part"][0, 0] == 77.0


@pytest.mark.parametrize("times", [1, 2])
def test_a_directory_that_changes_while_it_is_read(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """Once: it is read again. Twice: an error, and nothing is committed."""
    place = tmp_path / "model"
    place.mkdir()
    names = [f"model-0000{n}-of-00002.safetensors" for n in (1, 2)]
    index = {"metadata": {"total_size": 2 * 8000}, "weight_map": {f"w{n}": name for n, name in enumerate(names, 1)}}
    (place / "model.safetensors.index.json").write_text(json.dumps(index))

    def write(value: float) -> None:
        for name in names:
            save_file({f"w{name[10]}": np.full((50, 40), value, np.float32)}, place / name)

    write(0.0)
    changes = iter(range(1, times + 1))
    original: Callable[[OpenedCheckpoint], None] = OpenedCheckpoint.verify_unchanged

    def meanwhile(opened: OpenedCheckpoint) -> None:
        if (value := next(changes, None)) is not None:
            write(float(value))
        original(opened)

    monkeypatch.setattr(OpenedCheckpoint, "verify_unchanged", meanwhile)
    if times == 1:
        commit(workspace, [place], search=False)
        checkout(workspace, "HEAD", directory=tmp_path, target=tmp_path / "back")
        for name in names:
            assert (tmp_path / "back" / name).read_bytes() == (place / name).read_bytes()
    else:
        with pytest.raises(FormatError, match="changed"):
            commit(workspace, [place], search=False)
        assert log(workspace).lineages == ()


def test_there_are_no_remotes_yet() -> None:
    """Row 36 is of remotes. Whoever adds them adds its tests to the table, and takes this one away."""
    assert not {"push", "pull", "fetch", "clone", "remote"} & COMMANDS.keys()
