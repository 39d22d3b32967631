"""Files that are known by their stamps are not read again; those that no stamp can tell apart are."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from mvc.formats import CheckpointFile, digest_of, dissect
from mvc.porcelain import digests as module
from mvc.porcelain import intake
from mvc.porcelain.commits import commit
from mvc.porcelain.digests import Digests
from mvc.porcelain.init import init
from mvc.porcelain.status import status
from mvc.porcelain.workspace import Workspace

SECOND = 1_000_000_000


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    init(tmp_path)
    return Workspace.open(tmp_path)


def _at_rest() -> None:
    """A clock's tick passes."""
    time.sleep(module._TICK / SECOND + 0.02)


def _model(path: Path, value: float) -> Path:
    save_file({"w": np.full((8, 8), value, np.float32)}, path)
    return path


def test_an_unchanged_file_is_not_read_again_unless_asked_for(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _model(tmp_path / "a.safetensors", 1)
    _at_rest()
    first = commit(workspace, [path]).commits[0]
    _at_rest()
    read = []

    def reading(file: CheckpointFile, take: Any) -> Any:
        read.append(file.path)
        return dissect(file, take)

    def hashing(file: CheckpointFile) -> str:
        read.append(file.path)
        return digest_of(file)

    monkeypatch.setattr(intake, "dissect", reading)
    monkeypatch.setattr(intake, "digest_of", hashing)
    monkeypatch.setattr("mvc.porcelain.status.digest_of", lambda file: pytest.fail("read by status"))
    again = commit(workspace, [path]).commits[0]
    assert (again.id, again.relation, read) == (first.id, "duplicate", [])
    assert [entry.state for entry in status(workspace, [path]).entries] == ["committed"]
    assert commit(workspace, [path], verify=True).commits[0].relation == "duplicate"
    assert read == [path]


def test_a_file_with_other_content_and_the_old_times_is_read(workspace: Workspace, tmp_path: Path) -> None:
    path = _model(tmp_path / "a.safetensors", 1)
    _at_rest()
    first = commit(workspace, [path]).commits[0]
    before = path.stat()
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    _at_rest()
    assert path.stat().st_mtime_ns == before.st_mtime_ns and path.stat().st_size == before.st_size
    assert commit(workspace, [path]).commits[0].id != first.id


@pytest.mark.parametrize(
    ("age", "reads"),
    [(0, 3), (module._TICK // 2, 3), (3 * SECOND + 1, 1)],
    ids=["now", "within a tick", "long ago"],
)
def test_a_file_that_was_just_written_is_not_believed(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age: int, reads: int
) -> None:
    path = _model(tmp_path / "a.safetensors", 1)
    now = time.time_ns()
    stamp = (path.stat().st_size, now - age, now - age, 1, 1)
    monkeypatch.setattr(module, "stamp_of", lambda _: stamp)
    monkeypatch.setattr(module, "time", SimpleNamespace(time_ns=lambda: now))
    # whatever becomes of the file within the tick, its stamp stays
    computed = iter(range(3))
    for _ in range(3):
        digests = Digests(workspace.repository)
        digests.of(path, lambda: str(next(computed)))
        digests.save()
    assert 3 - len([*computed]) == reads


def test_a_clock_of_whole_seconds_ticks_slowly(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _model(tmp_path / "a.safetensors", 1)
    whole = (time.time_ns() // SECOND - 1) * SECOND
    monkeypatch.setattr(module, "stamp_of", lambda _: (1, whole, whole, 1, 1))
    known = []
    for later in (2 * SECOND, 2 * SECOND + 1):
        monkeypatch.setattr(module, "time", SimpleNamespace(time_ns=lambda later=later: whole + later))
        digests = Digests(workspace.repository)
        digests.read(path, lambda: "digest")
        known.append(digests.known(path))
    assert known == [None, (1, "digest")]


def test_a_digest_saved_in_the_tick_of_the_change_is_forgotten(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the file system's clock runs behind this machine's: only the times in it tell."""
    path = _model(tmp_path / "a.safetensors", 1)
    old = time.time_ns() - 5 * SECOND
    monkeypatch.setattr(module, "stamp_of", lambda _: (1, old, old, 1, 1))
    digests = Digests(workspace.repository)
    digests.read(path, lambda: "digest")
    digests.save()
    assert Digests(workspace.repository).known(path) == (1, "digest")
    os.utime(digests._file, ns=(old, old))
    assert Digests(workspace.repository).known(path) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"a": 1}',
        '{"a": [[1, 2], "x"]}',
        '{"a": [["x"], "x"]}',
        "\0",
        "[" * 9000,
        '{"a": [[Infinity, 1, 2, 3, 4], "x"]}',
    ],
)
def test_what_is_remembered_may_be_damaged(workspace: Workspace, tmp_path: Path, text: str) -> None:
    Digests(workspace.repository)._file.write_text(text)
    path = _model(tmp_path / "a.safetensors", 1)
    assert Digests(workspace.repository).of(path, lambda: "digest") == "digest"


def test_what_is_remembered_of_files_that_are_gone_goes(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some at each saving, in turn; and never more than so many."""
    monkeypatch.setattr(module, "_LOOKED_FOR", 2)
    file = workspace.repository.layout.index.parent / "digests.json"

    def remember(*numbers: int) -> list[str]:
        paths = [_model(tmp_path / f"{number}.safetensors", number) for number in numbers]
        _at_rest()
        digests = Digests(workspace.repository)
        for path in paths:
            digests.read(path, lambda: "digest")
        _at_rest()
        digests.save()
        return [Path(name).stem for name in json.loads(file.read_bytes())]

    assert remember(0, 1, 2, 3, 4) == ["0", "1", "2", "3", "4"]
    for number in (1, 2, 4):
        (tmp_path / f"{number}.safetensors").unlink()
    assert remember(5) == ["2", "3", "4", "0", "5"]
    assert remember(6) == ["4", "0", "5", "3", "6"]
    assert remember(7) == ["5", "3", "6", "0", "7"]
    assert remember(3) == ["0", "7", "5", "6", "3"]
    monkeypatch.setattr(module, "_MOST", 3)
    assert len(remember(8)) == 3
