"""A commit on a disk that fails, or in a process that stops, at any operation: all of it or nothing (rows 28 to 30)."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mvc.errors import MvcError
from mvc.porcelain.commits import commit
from mvc.porcelain.log import log
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository, check_repository
from mvc.storage import FileSystem
from mvc.testing.faults import Crash, FaultyFileSystem

pytestmark = pytest.mark.usefixtures("files_at_rest")

#: every so many operations one is tried, beginning with each of them
STRIDE = 3


@pytest.fixture
def files(write: Callable[..., Path], walk: Any) -> list[Path]:
    return [write(f"{n}.safetensors", point) for n, point in enumerate(walk(1, 3, shapes={"w": (3, 4)}))]


def _commit(root: Path, files: list[Path], fs: FileSystem) -> None:
    commit(Workspace.of(Repository.open(root, fs=fs), author="x"), files[1:], tag=None)


def _prepared(root: Path, files: list[Path]) -> Path:
    commit(Workspace.of(Repository.init(root), author="x"), files[:1])
    return root


@pytest.mark.parametrize("number", [None, errno.ENOSPC, errno.EIO])
def test_all_or_nothing(tmp_path: Path, files: list[Path], number: int | None) -> None:
    counted = FaultyFileSystem()
    _commit(_prepared(tmp_path / "count", files), files, counted)
    outcomes = []
    for n in range((number or 0) % STRIDE, len(counted.operations), STRIDE):
        root = _prepared(tmp_path / f"{n}", files)
        acknowledged = True
        try:
            _commit(root, files, FaultyFileSystem(n, error=number, lasting=number == errno.ENOSPC))
        except (Crash, MvcError):
            acknowledged = False
        after = Workspace.open(root)
        told = log(after)
        held = sum(len(row.commits) for row in told.lineages)
        assert held == 3 if acknowledged else held in (1, 3)
        assert held == len(after.repository.state().commits)
        assert check_repository(after.repository).ok
        _commit(root, files, FileSystem())
        assert sum(len(row.commits) for row in log(Workspace.open(root)).lineages) == 3
        outcomes.append(held)
    assert outcomes == sorted(outcomes) and outcomes.count(1) > 5
