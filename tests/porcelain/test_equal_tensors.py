"""Tensors that are equal in every model: a frozen backbone is kinship, a constant buffer is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from mvc.porcelain.commits import commit
from mvc.porcelain.log import log
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository


def lineages(tmp_path: Path, write: Callable[..., Path], *, shared: int, own: int) -> int:
    """How many lineages two models have that share a tensor of ``shared`` values and not one of ``own``."""
    rng = np.random.default_rng(0)
    same = rng.normal(size=(shared,)).astype(np.float32)
    paths = [
        write(f"m{i}.safetensors", {"same": same, "own": rng.normal(size=(own // 8, 8)).astype(np.float32)})
        for i in range(2)
    ]
    Repository.init(tmp_path)
    workspace = Workspace.open(tmp_path, author="test")
    commit(workspace, paths)
    return len(log(workspace).lineages)


def test_two_heads_on_one_frozen_backbone_are_kin(tmp_path: Path, write: Callable[..., Path]) -> None:
    assert lineages(tmp_path, write, shared=2000, own=160) == 1


def test_a_constant_buffer_makes_no_kin(tmp_path: Path, write: Callable[..., Path]) -> None:
    assert lineages(tmp_path, write, shared=400, own=1600) == 2
