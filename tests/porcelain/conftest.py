"""Small trajectories that look like training, written as real checkpoint files, and repositories to commit them to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from safetensors.numpy import save_file

from mvc.porcelain.commits import commit
from mvc.porcelain.lineages import pin, rename
from mvc.porcelain.log import log
from mvc.porcelain.tags import create_tag, delete_tag
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository

Arrays = dict[str, npt.NDArray[Any]]
SHAPES = {"fc1.weight": (12, 20), "fc1.bias": (12,), "fc2.weight": (5, 12)}
TIME = datetime(2024, 1, 1, tzinfo=UTC)


def trajectory(seed: int, steps: int, *, start: Arrays | None = None, shapes: dict[str, Any] = SHAPES) -> list[Arrays]:
    """A walk from random initial weights towards a goal of its own: steps shrink, turn a little, and are noisy."""
    rng = np.random.default_rng(seed)
    point = start or {name: rng.normal(size=shape).astype(np.float32) / 4 for name, shape in shapes.items()}
    goal = {name: rng.normal(size=value.shape).astype(np.float32) for name, value in point.items()}
    path = [point]
    for step in range(steps - 1):
        rate = 0.25 / (1 + 0.3 * step)
        noise = {name: rng.normal(size=value.shape) for name, value in point.items()}
        point = {
            name: (value + rate * (goal[name] - value) + 0.2 * rate * noise[name]).astype(np.float32)
            for name, value in point.items()
        }
        path.append(point)
    return path


@pytest.fixture
def walk() -> Callable[..., list[Arrays]]:
    return trajectory


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes arrays as a safetensors file under a path in tmp_path."""

    def save(name: str, arrays: Arrays, **metadata: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({key: np.ascontiguousarray(value) for key, value in arrays.items()}, path, metadata=metadata or None)
        return path

    return save


@pytest.fixture
def population(write: Callable[..., Path]) -> list[Path]:
    """Two runs of six checkpoints and a fork of four off the first run's fourth, under names that say nothing."""
    first, second = trajectory(1, 6), trajectory(2, 6)
    fork = trajectory(3, 5, start=first[3])[1:]
    points = [*first, *second, *fork]
    names = np.random.default_rng(0).permutation(len(points))
    return [write(f"ck/{name:02}.safetensors", point) for name, point in zip(names, points, strict=True)]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.of(Repository.init(tmp_path / "repo"), author="A Tester <t@example.org>")


@pytest.fixture
def reopened() -> Callable[[Workspace], Workspace]:
    """The same repository as another process sees it."""
    return lambda workspace: Workspace.open(workspace.repository.root, author=workspace.author)


@pytest.fixture
def locked() -> Callable[..., Any]:
    """Holds a repository's lock as another process would."""

    @contextmanager
    def hold(workspace: Workspace) -> Iterator[None]:
        with Repository.open(workspace.repository.root).lock(0):
            yield

    return hold


@pytest.fixture
def busy_workspace(workspace: Workspace, population: list[Path], write: Any) -> Workspace:
    """A repository that a bit of everything happened to."""
    for start in range(0, len(population), 5):
        commit(workspace, population[start : start + 5], message=f"from {start}")
    commit(workspace, [write("other/a.safetensors", {"x": np.ones((2, 2), np.float32)})], run="r", step=1, tag="a")
    commit(workspace, [write("other/copy.safetensors", trajectory(1, 2)[0], note="again")])
    large = trajectory(9, 4, shapes={"w": (80, 70), "b": (80,)})
    commit(workspace, [write(f"large/{n}.safetensors", point) for n, point in enumerate(large)])
    commit(workspace, [write("other/ints.safetensors", {"n": np.arange(4)})])
    head = {"head.weight": np.ones((3, 5), np.float32)}
    commit(workspace, [write("other/head.safetensors", trajectory(1, 3)[2] | head)])
    create_tag(workspace, "gone")
    delete_tag(workspace, "gone")
    first, second, *_ = log(workspace).lineages
    rename(workspace, second.name, "mine")
    pin(workspace, f"{first.name}@-1", "mine")
    return workspace
