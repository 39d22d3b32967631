"""A repository with forks, an average, a broken step, and names that would do harm if anybody believed them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from mvc.porcelain.commits import commit
from mvc.porcelain.tags import create_tag
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository
from mvc.testing.trajectories import Walk, synthetic_run, tensors_of
from tests.report.hostile import BREAKS, IMAGE, LAYERS, RUN, SCRIPT


def write(path: Path, point: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({LAYERS[name]: value for name, value in tensors_of(point).items()}, str(path))
    return path


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository's directory. Two runs of ten, one with an abnormal last step, a fork of six, and an average."""
    root = tmp_path_factory.mktemp("report") / "models <b>&"
    root.mkdir()
    workspace = Workspace.of(Repository.init(root), author="A Tester <t@example.org>")
    first, second = (synthetic_run(seed, Walk(points=10)) for seed in (1, 2))
    fork = synthetic_run(3, Walk(points=6, first=0.12), start=first[5])
    second[-1] += 0.8 * np.random.default_rng(0).normal(size=second.shape[1])
    paths = [write(root / f"a{i}.safetensors", point) for i, point in enumerate(first)]
    commit(workspace, paths, message=BREAKS, run=RUN)
    commit(workspace, [write(root / f"{IMAGE[:8]}{i}.safetensors", point) for i, point in enumerate(second)])
    commit(workspace, [write(root / f"c{i}.safetensors", point) for i, point in enumerate(fork)], message=SCRIPT)
    commit(workspace, [write(root / "average.safetensors", (first[-1] + fork[-1]) / 2)])
    create_tag(workspace, "v1", "HEAD")
    return root


@pytest.fixture
def workspace(hostile: Path) -> Workspace:
    return Workspace.open(hostile, author="A Tester <t@example.org>")
