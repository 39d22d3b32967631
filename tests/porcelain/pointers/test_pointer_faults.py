"""Pointers and what they stand for, where a process stops at any operation."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from mvc.porcelain.checkout import checkout
from mvc.porcelain.commits import commit
from mvc.porcelain.pointers import pointer_path
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository
from mvc.storage import FileSystem
from mvc.testing.faults import Crash, FaultyFileSystem
from tests.porcelain.pointers.samples import Write, sharded, tree

pytestmark = pytest.mark.usefixtures("files_at_rest")


def test_a_directory_that_was_half_completed_is_completed_again(tmp_path: Path) -> None:
    """A process that stops at any operation leaves whole files of the checkpoint, and no index before its shards."""
    root = tmp_path / "repo"
    directory = sharded(root / "big")
    original = tree(directory)
    commit(Workspace.of(Repository.init(root), author="x"), [directory], pointer=True)

    def run(fs: FileSystem) -> None:
        checkout(Workspace.of(Repository.open(root, fs=fs), author="x"), "big.mvc", directory=root)

    def reset() -> None:
        shutil.rmtree(directory)
        directory.mkdir()
        (directory / "config.json").write_text("{}")

    reset()
    counted = FaultyFileSystem()
    run(counted)
    steps = set()
    for number in range(len(counted.operations)):
        reset()
        with pytest.raises(Crash):
            run(FaultyFileSystem(number))
        left = {name: data for name, data in tree(directory).items() if not name.startswith("tmp-")}
        assert left.items() <= {**original, "config.json": b"{}"}.items()
        assert "model.safetensors.index.json" not in left or len(left) == 4
        steps.add(len(left))
        run(FileSystem())
        assert original.items() <= tree(directory).items()
    assert steps == {1, 2, 3, 4}


def test_all_or_nothing_and_again(tmp_path: Path, write: Write, walk: Any) -> None:
    """A process that stops at any operation leaves whole files, weights that git sees or a pointer for them, and the
    same command completes what it left."""
    path = write("repo/a.safetensors", walk(1, 1)[0])
    root = path.parent
    commit(Workspace.of(Repository.init(root), author="x"), [path])

    def run(fs: FileSystem) -> None:
        commit(Workspace.of(Repository.open(root, fs=fs), author="x"), [path], pointer=True)

    def reset() -> None:
        pointer_path(path).unlink(missing_ok=True)
        (root / ".gitignore").write_bytes(b"*.log\n")

    reset()
    counted = FaultyFileSystem()
    run(counted)
    expected = (pointer_path(path).read_bytes(), b"*.log\n/a.safetensors\n")
    outcomes = set()
    for number in range(len(counted.operations)):
        reset()
        with pytest.raises(Crash):
            run(FaultyFileSystem(number))
        pointer = pointer_path(path).read_bytes() if pointer_path(path).exists() else None
        ignored = (root / ".gitignore").read_bytes()
        outcomes.add((pointer, ignored))
        assert (pointer, ignored) in ((None, b"*.log\n"), (expected[0], b"*.log\n"), expected)
        run(FileSystem())
        assert (pointer_path(path).read_bytes(), (root / ".gitignore").read_bytes()) == expected
    assert len(outcomes) == 3
