"""A disk that is really full, really read-only, and system calls that really fail (row 30)."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mvc.porcelain.log import log
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository, check_repository

ACTOR = Path(__file__).with_name("disk_actor.py")
NAMESPACE = ("unshare", "-rm")


def act(what: str, place: Path, *before: str) -> dict[str, int]:
    done = subprocess.run(
        [*before, sys.executable, str(ACTOR), what, str(place)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return told


def needs_mounts() -> None:
    mount = [*NAMESPACE, "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", "/mnt"]
    if shutil.which("unshare") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this system lets nobody mount a tmpfs in a namespace of its own")


def test_a_full_disk(tmp_path: Path) -> None:
    """Room for nothing, then for ever more: each commit is whole or refused, and done once there is room."""
    needs_mounts()
    told = act("full", tmp_path, *NAMESPACE)
    assert told["refused"] >= 5 and told["done"] >= 2


def test_files_that_may_not_grow(tmp_path: Path) -> None:
    told = act("quota", tmp_path)
    assert told["refused"] >= 5 and told["done"] >= 1


def test_a_read_only_disk(tmp_path: Path) -> None:
    """All that reads works, also without an index; what writes says why it does not."""
    needs_mounts()
    assert act("readonly", tmp_path, *NAMESPACE) == {"StorageError": 4}


COMMIT = """
import os
import sys
from pathlib import Path
from mvc.errors import MvcError
from mvc.porcelain.commits import commit
from mvc.porcelain.workspace import Workspace
for path in map(Path, sys.argv[2:]):
    try:
        commit(Workspace.open(sys.argv[1], author="t"), [path])
    except MvcError as error:
        told = f"refused {type(error).__name__}"
    else:
        told = "done"
    os.writev(1, [told.encode() + bytes([10])])  # the one call to write that no fault here makes fail
"""


@pytest.mark.parametrize(
    ("point", "number"), [("posix/io/sync/fsync", 5), ("posix/io/rw/write", 28), ("posix/io/rw/pwrite", 5)]
)
def test_system_calls_that_fail(tmp_path: Path, point: str, number: int) -> None:
    """libfiu makes calls fail within an unchanged mvc, at random: fsync and SQLite's writes with EIO, others' with
    ENOSPC."""
    if shutil.which("fiu-run") is None:
        pytest.skip("needs libfiu (apt install fiu-utils)")
    root = tmp_path / "repo"
    Repository.init(root)
    rng = random.Random(number)
    files = []
    for n in range(12):
        files.append(tmp_path / f"{n}.safetensors")
        header = json.dumps({"w": {"dtype": "F32", "shape": [300], "data_offsets": [0, 1200]}}).encode()
        files[-1].write_bytes(len(header).to_bytes(8, "little") + header + rng.randbytes(1200))
    told: list[str] = []
    for n in range(0, 12, 4):
        fault = f"enable_random name={point},probability=0.04,failinfo={number}"
        done = subprocess.run(
            ["fiu-run", "-x", "-c", fault, sys.executable, "-B", "-c", COMMIT, str(root), *map(str, files[n : n + 4])],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        told += done.stdout.splitlines()
        acknowledged = told.count("done")
        workspace = Workspace.open(root, author="t")
        held = len(workspace.repository.state().commits)
        # a refusal that came after the pointer had moved may stand
        assert acknowledged <= held <= n + 4
        assert check_repository(workspace.repository, repair=True).ok
        assert sum(len(row.commits) for row in log(workspace).lineages) == held
    assert set(told) <= {"done", "refused StorageError"}, told
