"""A repository of which much can be given up."""

from __future__ import annotations

from typing import Any

import pytest

from mvc.porcelain.commits import Declared, commit
from mvc.porcelain.workspace import Workspace
from tests.porcelain.retention.runs import SHAPES


@pytest.fixture
def filled(workspace: Workspace, write: Any, walk: Any) -> Workspace:
    """Two runs of twelve, one with a fork off its sixth, each checkpoint with a loss that is lowest at its third."""
    first, second = walk(1, 12, shapes=SHAPES), walk(2, 12, shapes=SHAPES)
    fork = walk(3, 6, start=first[5], shapes=SHAPES)[1:]
    for name, points in {"a": first, "b": second, "c": fork}.items():
        paths = [write(f"{name}/{n:02}.safetensors", point) for n, point in enumerate(points)]
        losses = {path: Declared(run=name, metrics={"loss": abs(n - 2) + 0.5}) for n, path in enumerate(paths)}
        commit(workspace, paths, each=losses.__getitem__)
    return workspace
