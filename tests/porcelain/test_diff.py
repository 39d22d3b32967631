"""What a diff says beside its figures: layers, moved units, kinds of change, and how far that is for the lineage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mvc.geometry import derive, permute
from mvc.porcelain.commits import commit
from mvc.porcelain.comparing import layer_of
from mvc.porcelain.diff import diff
from mvc.porcelain.workspace import Workspace

Write = Callable[..., Path]
Arrays = dict[str, Any]
#: a network whose layers are wide enough for matched strangers to stay strangers
WIDE = {"fc1.weight": (48, 64), "fc1.bias": (48,), "fc2.weight": (40, 48), "fc2.bias": (40,), "fc3.weight": (10, 40)}


def permuted(arrays: Arrays, groups: tuple[int, ...] = (0, 1)) -> tuple[Arrays, int]:
    """The same function with the units of some layers in another order, and how many left their places."""
    spec = derive({name: value.shape for name, value in arrays.items()})
    assert spec is not None
    rng, moved = np.random.default_rng(5), 0
    for group in groups:
        order = rng.permutation(spec.units[group].size)
        moved += int((order != np.arange(order.size)).sum())
        arrays = permute(arrays, spec.units[group], order)
    return arrays, moved


@pytest.mark.parametrize("groups", [(0, 1), (0,), (1,)])
def test_moved_units_are_no_total_change(
    workspace: Workspace, write: Write, walk: Any, groups: tuple[int, ...]
) -> None:
    (start,) = walk(1, 1, shapes=WIDE)
    other, moved = permuted(start, groups)
    found = diff(workspace, str(write("a.safetensors", start)), str(write("b.safetensors", other)))
    assert found.distance > 1 and found.moved is not None
    assert (found.moved.moved, found.moved.units) == (moved, 88)
    assert (found.moved.distance, found.moved.cosine) == (0, pytest.approx(1))
    assert found.verdict == "the same model with its units in another order"
    matched = {row.name for row in found.tensors if row.matched == 0}
    assert {"fc2.weight"} <= matched and ("fc1.weight" in matched) == (0 in groups)


def test_units_that_moved_and_were_trained_on(workspace: Workspace, write: Write, walk: Any) -> None:
    run = walk(1, 12, shapes=WIDE)
    commit(workspace, [write(f"{i}.safetensors", point) for i, point in enumerate(run[:-1])])
    other, moved = permuted(run[-1])
    found = diff(workspace, "HEAD", str(write("b.safetensors", other)))
    whole = sum(float(((run[-1][name] - run[-2][name]).astype(np.float64) ** 2).sum()) for name in WIDE)
    assert found.moved is not None and found.moved.moved == moved
    assert found.moved.distance == pytest.approx(whole**0.5, rel=1e-6)
    assert found.verdict.startswith("units in another order, and then closer than one step of ")  # steps shrink


def test_strangers_have_no_moved_units(workspace: Workspace, write: Write, walk: Any) -> None:
    paths = [str(write(f"{seed}.safetensors", walk(seed, 1, shapes=WIDE)[0])) for seed in (1, 2)]
    found = diff(workspace, *paths)
    assert found.moved is None
    assert found.verdict.startswith("independent models")


def test_units_are_not_matched_where_nothing_is_far(
    workspace: Workspace, write: Write, walk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("matched")

    monkeypatch.setattr("mvc.porcelain.moved.moved_units", refuse)
    run = walk(1, 3, shapes=WIDE)
    assert diff(workspace, *(str(write(f"{i}.safetensors", run[i])) for i in (1, 2))).moved is None


def test_layers_add_up(workspace: Workspace, write: Write, walk: Any) -> None:
    first, second = walk(1, 2, shapes=WIDE)
    second = {**second, "fc2.bias": first["fc2.bias"], "fc1.new": np.ones(3, np.float32)}
    paths = [str(write("a.safetensors", first)), str(write("b.safetensors", second))]
    found = diff(workspace, *paths)
    layers = {layer.name: layer for layer in found.layers}
    assert {name: (layer.tensors, layer.identical) for name, layer in layers.items()} == {
        "fc1": (3, 0),
        "fc2": (2, 1),
        "fc3": (1, 0),
    }
    assert sum(layer.share or 0 for layer in found.layers) == pytest.approx(1)
    assert sum(layer.distance**2 for layer in found.layers) == pytest.approx(found.distance**2)
    rows = {row.name: row for row in found.tensors}
    assert layers["fc2"].distance == rows["fc2.weight"].distance
    assert layers["fc2"].max_abs == rows["fc2.weight"].max_abs
    assert [layer.name for layer in diff(workspace, *paths, depth=1).layers] == [row.name for row in found.layers]


def test_names_of_layers() -> None:
    names = {"h.0.attn.weight": "h.0.attn", "w": "w", "params/dense/kernel": "params/dense", ".odd": ".odd"}
    assert {name: layer_of(name) for name in names} == names
    assert [layer_of("h.0.attn.weight", depth) for depth in (1, 2, 9)] == ["h", "h.0", "h.0.attn"]


def test_kinds_of_change(workspace: Workspace, write: Write) -> None:
    rng = np.random.default_rng(0)
    first = {name: rng.normal(size=(64, 32)).astype(np.float32) for name in ("adapted", "edited", "trained")}
    second = {
        "adapted": first["adapted"] + (rng.normal(size=(64, 3)) @ rng.normal(size=(3, 32))).astype(np.float32),
        "edited": first["edited"] + (rng.random((64, 32)) < 0.01).astype(np.float32),
        "trained": first["trained"] + rng.normal(size=(64, 32)).astype(np.float32) / 9,
    }
    paths = [str(write("a.safetensors", first)), str(write("b.safetensors", second))]
    rows = {row.name: row for row in diff(workspace, *paths).tensors}
    assert (rows["adapted"].rank, rows["adapted"].changed) == (3, 2048)
    assert rows["edited"].changed == int((first["edited"] != second["edited"]).sum())
    assert (rows["trained"].rank, rows["trained"].changed) == (None, 2048)
    assert all(row.spectra is None for row in rows.values())
    (row,) = diff(workspace, *paths, tensor="adapted", spectra=True).tensors
    assert row.spectra is not None and 1 <= (row.spectra.change.stable_rank or 0) <= 3


@pytest.fixture
def run(workspace: Workspace, write: Write) -> list[str]:
    """Ids of a walk of twelve equal steps that turn, in its order, with one step thrice as long near the end."""
    rng = np.random.default_rng(0)
    point = rng.normal(size=(40, 40)).astype(np.float32)
    heading = rng.normal(size=(40, 40))
    points = []
    for i in range(12):
        points.append(point)
        step = (0.5 * heading + rng.normal(size=(40, 40))) * (0.06 if i == 9 else 0.02)
        point = (point + step).astype(np.float32)
    paths = [write(f"{i:02}.safetensors", {"w": point}) for i, point in enumerate(points)]
    made = commit(workspace, paths[:1], step=0).commits
    for i, path in enumerate(paths[1:], start=1):
        made = (*made, *commit(workspace, [path], step=i).commits)
    return [row.id for row in made]


def test_pairs_are_held_against_pairs_as_far_apart(workspace: Workspace, run: list[str]) -> None:
    found = diff(workspace, run[3], run[6])
    assert found.course is not None and found.course.usual is not None
    assert (found.course.apart, found.course.usual.pairs) == (3, 8)
    assert found.course.path == pytest.approx(sum(diff(workspace, run[i], run[i + 1]).distance for i in (3, 4, 5)))
    assert found.course.usual.low <= found.distance <= found.course.usual.high
    assert "3 steps apart on " in found.verdict and ", as far as such pairs usually are (" in found.verdict
    back = diff(workspace, run[6], run[3])
    assert (back.course, back.verdict) == (found.course, found.verdict)


def test_a_step_too_long(workspace: Workspace, run: list[str]) -> None:
    assert "as far as its steps usually are" in diff(workspace, run[7], run[8]).verdict
    assert "farther than its steps usually are" in diff(workspace, run[9], run[10]).verdict


def test_commits_that_parted(workspace: Workspace, write: Write, run: list[str]) -> None:
    known = workspace.repository.checkpoint(run[6])  # type: ignore[arg-type]
    point = np.frombuffer(known.read("w"), np.float32).reshape(40, 40)
    rng = np.random.default_rng(3)
    heading = rng.normal(size=(40, 40))
    for i in range(3):
        point = (point + 0.02 * (heading + 0.5 * rng.normal(size=(40, 40)))).astype(np.float32)
        (row,) = commit(workspace, [write(f"fork{i}.safetensors", {"w": point})], step=7 + i, parent=run[6]).commits
    found = diff(workspace, run[8], row.id).course
    assert found is not None and found.apart is None and found.parted is not None
    assert (found.parted.commit, found.parted.position, found.parted.a, found.parted.b) == (run[6], 6, 2, 3)


def test_a_file_is_held_against_the_steps_of_the_lineage(workspace: Workspace, write: Write, run: list[str]) -> None:
    points = {i: workspace.repository.checkpoint(run[i]) for i in (5, 8)}  # type: ignore[arg-type]
    arrays = {i: np.frombuffer(known.read("w"), np.float32).reshape(40, 40) for i, known in points.items()}
    rng = np.random.default_rng(1)

    def verdict(size: float, base: int = 5) -> str:
        point = arrays[base] + (size * rng.normal(size=(40, 40))).astype(np.float32)
        return diff(workspace, run[5], str(write("file.safetensors", {"w": point}))).verdict

    assert verdict(0.022).startswith("in line with the steps of ")
    assert verdict(0.002).startswith("closer than one step of ")
    assert "as far as its commits about 3 steps apart" in verdict(1e-6, base=8)
    assert verdict(0.5).startswith("farther than commits of ")
