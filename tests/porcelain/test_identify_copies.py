"""Copies whose hidden units were permuted: `identify` names source and transforms, and takes no stranger for one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from mvc.geometry import PermutationSpec, derive, permute, rescale
from mvc.porcelain.commits import commit
from mvc.porcelain.identify import identify
from mvc.porcelain.workspace import Workspace

Arrays = dict[str, npt.NDArray[Any]]


def _moved(arrays: Arrays, *, scaled: bool = False, spec: PermutationSpec | None = None) -> Arrays:
    spec = spec or derive({name: value.shape for name, value in arrays.items()})
    assert spec is not None
    rng = np.random.default_rng(0)
    for units in spec.units:
        arrays = permute(arrays, units, rng.permutation(units.size))
        for scaling in units.scalings if scaled else ():
            arrays = rescale(arrays, scaling, np.exp(rng.normal(size=units.size)).astype(np.float32))
    return arrays


def _pruned(arrays: Arrays) -> Arrays:
    return {name: np.where(np.abs(v) < np.median(np.abs(v)), 0, v).astype(v.dtype) for name, v in arrays.items()}


def _rounded(arrays: Arrays) -> Arrays:
    steps = {name: np.abs(value).max() / 127 for name, value in arrays.items()}
    return {name: (np.round(v / steps[name]) * steps[name]).astype(v.dtype) for name, v in arrays.items()}


def _half(arrays: Arrays) -> Arrays:
    return {name: value.astype(np.float16) for name, value in arrays.items()}


MADE: dict[str, Callable[[Arrays], Arrays]] = {
    "permuted": _moved,
    "permuted+cast": lambda arrays: _half(_moved(arrays)),
    "permuted+quantised": lambda arrays: _rounded(_moved(arrays)),
    "permuted+pruned": lambda arrays: _pruned(_moved(arrays)),
    "permuted+rescaled": lambda arrays: _moved(arrays, scaled=True),
    "permuted+rescaled+cast": lambda arrays: _half(_moved(arrays, scaled=True)),
    "permuted+rescaled+pruned": lambda arrays: _moved(_pruned(arrays), scaled=True),
    "quantised": _rounded,
}


@pytest.mark.parametrize("name", MADE)
def test_a_permuted_copy_is_named_with_its_source(
    name: str, workspace: Workspace, population: list[Path], walk: Any, write: Any
) -> None:
    commit(workspace, population)
    source = walk(2, 6)[4]
    original = identify(workspace, [write("original.safetensors", source)]).results[0].match
    assert original is not None
    found = identify(workspace, [write("copy.safetensors", MADE[name](source))]).results[0].match
    assert found is not None
    assert (found.relation, found.transform, found.commit) == ("copy", name, original.commit)


def _made(name: str, arrays: Arrays, spec: PermutationSpec) -> Arrays:
    """A copy in a layout's own order: pruned before, rounded after its units move."""
    arrays = _pruned(arrays) if "pruned" in name else arrays
    arrays = _moved(arrays, scaled="rescaled" in name, spec=spec)
    return _rounded(arrays) if "quantised" in name else arrays


LAYOUTS = {
    # two stages of a residual network with batch norm, the first without a projection
    "resnet": {
        "conv1.weight": (6, 1, 3, 3), "layer1.0.conv1.weight": (6, 6, 3, 3), "layer1.0.conv2.weight": (6, 6, 3, 3),
        "layer2.0.conv1.weight": (8, 6, 3, 3), "layer2.0.conv2.weight": (8, 8, 3, 3),
        "layer2.0.downsample.0.weight": (8, 6, 1, 1), "fc.weight": (10, 8), "fc.bias": (10,),
    } | {
        f"{norm}.{leaf}": (size,)
        for norm, size in {
            "bn1": 6, "layer1.0.bn1": 6, "layer1.0.bn2": 6, "layer2.0.bn1": 8, "layer2.0.bn2": 8,
            "layer2.0.downsample.1": 8,
        }.items()
        for leaf in ("weight", "bias", "running_mean", "running_var")
    },
    # an encoder layer of torch: query, key and value in one, heads of four
    "encoder": {
        "embed.weight": (12, 14), "embed.bias": (12,), "layers.0.self_attn.in_proj_weight": (36, 12),
        "layers.0.self_attn.in_proj_bias": (36,), "layers.0.self_attn.out_proj.weight": (12, 12),
        "layers.0.self_attn.out_proj.bias": (12,), "layers.0.linear1.weight": (20, 12), "layers.0.linear1.bias": (20,),
        "layers.0.linear2.weight": (12, 20), "layers.0.linear2.bias": (12,), "head.weight": (5, 12),
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("layout", "name"),
    [("resnet", "permuted+pruned"), ("resnet", "permuted+rescaled+pruned"), ("encoder", "permuted+quantised")],
)
def test_other_layouts_are_known(layout: str, name: str, workspace: Workspace, walk: Any, write: Any) -> None:
    runs = {seed: walk(seed, 5, shapes=LAYOUTS[layout]) for seed in (1, 2)}
    paths = [write(f"{s}/{i}.safetensors", point) for s, run in runs.items() for i, point in enumerate(run)]
    rows = commit(workspace, paths).commits
    wanted = next(row.id for row in rows if Path(row.path).parts[-2:] == ("2", "3.safetensors"))
    spec = derive(LAYOUTS[layout], 4 if layout == "encoder" else None)
    assert spec is not None
    found = identify(workspace, [write("copy.safetensors", _made(name, runs[2][3], spec))]).results[0].match
    assert found is not None
    assert (found.relation, found.transform, found.commit) == ("copy", name, wanted)


def test_the_source_of_a_much_pruned_copy_is_told_from_its_neighbours(
    workspace: Workspace, walk: Any, write: Any
) -> None:
    run = walk(1, 30)
    rows = commit(workspace, [write(f"{i}.safetensors", point) for i, point in enumerate(run)]).commits
    ids = {Path(row.path).stem: row.id for row in rows}
    for i in (3, 15, 28):
        worn = {k: np.where(np.abs(v) < np.quantile(np.abs(v), 0.8), 0, v).astype(v.dtype) for k, v in run[i].items()}
        match = identify(workspace, [write("worn.safetensors", worn)]).results[0].match
        assert match is not None
        assert (match.commit, match.transform) == (ids[str(i)], "pruned")


def test_it_is_said_where_units_could_not_be_matched(workspace: Workspace, walk: Any, write: Any) -> None:
    shapes = {"rnn.weight_ih_l0": (16, 8), "rnn.weight_hh_l0": (16, 4), "out.weight": (3, 4)}
    commit(workspace, [write(f"{i}.safetensors", point) for i, point in enumerate(walk(1, 4, shapes=shapes))])
    found = identify(workspace, [write("stranger.safetensors", walk(9, 2, shapes=shapes)[1])]).results[0]
    assert found.match is None
    assert "no symmetry" in found.reason


def test_strangers_and_permuted_strangers_are_copies_of_nothing(
    workspace: Workspace, population: list[Path], walk: Any, write: Any
) -> None:
    commit(workspace, population)
    strangers = [walk(seed, 3)[2] for seed in range(10, 14)]
    paths = [write(f"{i}.safetensors", change(one)) for i, one in enumerate(strangers) for change in (_moved, _pruned)]
    assert [one.match for one in identify(workspace, paths).results] == [None] * len(paths)


def test_a_model_of_zeros_is_no_pruned_copy(
    workspace: Workspace, population: list[Path], walk: Any, write: Any
) -> None:
    commit(workspace, population)
    path = write("zeros.safetensors", {name: np.zeros_like(value) for name, value in walk(2, 6)[4].items()})
    match = identify(workspace, [path]).results[0].match
    assert match is None or match.relation != "copy"
