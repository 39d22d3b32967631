"""A repository around the files that tests write, and one checkpoint with its pointer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mvc.porcelain.commits import commit
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository
from tests.porcelain.pointers.samples import Write


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A repository around the files that `write` writes."""
    return Workspace.of(Repository.init(tmp_path), author="A Tester <t@example.org>")


@pytest.fixture
def pointed(workspace: Workspace, write: Write, walk: Any) -> Path:
    """The last of a trajectory of seven, with a pointer beside it."""
    paths = [write(f"run/{n}.safetensors", point) for n, point in enumerate(walk(1, 7))]
    commit(workspace, paths[:-1])
    assert commit(workspace, paths[-1:], pointer=True).commits[0].pointer == str(paths[-1]) + ".mvc"
    return paths[-1]
