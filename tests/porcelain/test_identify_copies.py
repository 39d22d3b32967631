"""Copies whose hidden units were permuted: `identify` names source and transforms, and takes no stranger for one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from mvc.geometry import derive, permute, rescale
from mvc.porcelain.commits import commit
from mvc.porcelain.identify import identify
from mvc.porcelain.workspace import Workspace

Arrays = dict[str, npt.NDArray[Any]]


def _moved(arrays: Arrays, *, scaled: bool = False) -> Arrays:
    spec = derive({name: value.shape for name, value in arrays.items()})
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
