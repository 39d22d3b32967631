"""Repositories that other programs carried about: moved, copied, or without the directories that held nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from mvc.porcelain.checkout import checkout
from mvc.porcelain.commits import commit
from mvc.porcelain.fsck import fsck
from mvc.porcelain.gc import gc
from mvc.porcelain.log import log
from mvc.porcelain.tags import create_tag
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three checkpoints, two of them committed."""
    root = tmp_path / "here"
    repository = Repository.init(root)
    rng = np.random.default_rng(0)
    for number in range(3):
        save_file({"w": rng.normal(size=(30, 20)).astype(np.float32)}, root / f"{number}.safetensors")
    commit(Workspace.of(repository, author="a"), [root / "0.safetensors", root / "1.safetensors"])
    return root


def use(root: Path) -> None:
    """All that writes, and what reads it back."""
    workspace = Workspace.open(root, author="a")
    commit(workspace, [root / "2.safetensors"])
    create_tag(workspace, "v1")
    gc(workspace)
    assert fsck(workspace, repair=True).findings == ()
    for row in (row for lineage in log(workspace).lineages for row in lineage.commits):
        checkout(workspace, row.id, directory=root, target=Path("out.safetensors"))
        assert (root / "out.safetensors").read_bytes() == (root / Path(row.path).name).read_bytes()
        (root / "out.safetensors").unlink()


@pytest.mark.parametrize("also", [(), ("index",), ("locks", "quarantine", "objects")], ids=str)
def test_directories_that_held_nothing_are_made_again(root: Path, also: tuple[str, ...]) -> None:
    """As by tools that carry files and no directories."""
    for name in also:
        shutil.rmtree(root / ".mvc" / name)
    for directory in [path for path in (root / ".mvc").rglob("*") if path.is_dir() and not any(path.iterdir())]:
        directory.rmdir()
    use(root)


@pytest.mark.parametrize("name", ["there", "thérè 文", "a%20b#?c", "line\nbreak", "odd\udcff"], ids=ascii)
def test_a_repository_may_be_moved_and_copied(root: Path, tmp_path: Path, name: str) -> None:
    there = tmp_path / name
    shutil.copytree(root, there)
    use(there)
    use(root.rename(tmp_path / f"{name}-again"))


def test_where_no_index_can_be_kept_everything_goes_on(root: Path) -> None:
    shutil.rmtree(root / ".mvc" / "index")
    (root / ".mvc" / "index").touch()
    use(root)
