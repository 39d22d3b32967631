"""A repository of several runs, and embedders that need no torch."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import mvc.testing.embedder as standin
from mvc.porcelain.commits import commit
from mvc.porcelain.workspace import Workspace
from tests.porcelain.embedders.points import POINTS, RUNS, Arrays


@pytest.fixture(autouse=True)
def embedding(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-in in the place of what imports torch."""
    for name in ("embedder", "train", "recipes"):
        monkeypatch.setitem(sys.modules, f"mvc.embedding.{name}", standin)


@pytest.fixture
def runs(walk: Callable[..., list[Arrays]]) -> list[list[Arrays]]:
    return [walk(seed, POINTS) for seed in range(RUNS)]


@pytest.fixture
def filled(workspace: Workspace, write: Callable[..., Path], runs: list[list[Arrays]]) -> Workspace:
    files = [write(f"ck/{i}-{j}.safetensors", point) for i, run in enumerate(runs) for j, point in enumerate(run)]
    commit(workspace, files)
    return workspace
