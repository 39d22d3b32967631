"""Which axes of which tensors move together when a layer's units change places. Owns the symmetry as data.

A `PermutationSpec` is derived from names and shapes alone, for chains of fully connected and convolutional layers with
biases and normalisation vectors, also across the flattening of channels into a fully connected layer's inputs. It is
None wherever names and shapes leave more than one reading (skip connections, groups, recurrent or attention weights,
layers that could stand in either order): a wrong spec is worse than none. Reads no values to derive it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.intp]
Shapes = Mapping[str, tuple[int, ...]]

_LAYER, _VECTORS = frozenset({"weight", "bias"}), frozenset({"weight", "bias", "running_mean", "running_var"})
#: chains looked at before names and shapes count as ambiguous
_TRIES = 10_000


@dataclass(frozen=True)
class Axis:
    """An axis whose length is units × ``inner``: the values of one unit lie side by side along it."""

    tensor: str
    axis: int
    inner: int = 1


@dataclass(frozen=True)
class Units:
    """Interchangeable units of one layer: ``produced`` axes hold what makes a unit, ``read`` what takes from it.

    ``scalable``: with a positively homogeneous activation (ReLU) a unit may also grow while its readers shrink. Not so
    with normalisation in between, which undoes it.
    """

    size: int
    produced: tuple[Axis, ...]
    read: tuple[Axis, ...]
    scalable: bool


@dataclass(frozen=True)
class PermutationSpec:
    """Groups of units from the input towards the output. Inputs and outputs of the whole network keep their order."""

    units: tuple[Units, ...]


@dataclass(frozen=True)
class _Layer:
    name: str
    out: int
    into: int
    conv: bool


def derive(shapes: Shapes) -> PermutationSpec | None:
    """The spec of these tensors (running statistics may be among them); None where there is none or it is ambiguous."""
    modules: dict[str, dict[str, tuple[int, ...]]] = {}
    for tensor, shape in shapes.items():
        module, _, leaf = tensor.rpartition(".")
        if leaf != "num_batches_tracked":
            modules.setdefault(module, {})[leaf] = shape
    layers, vectors = [], {}
    for name, tensors in modules.items():
        weight = tensors.get("weight", ())
        if len(weight) >= 2 and tensors.keys() <= _LAYER and tensors.get("bias", weight[:1]) == weight[:1]:
            layers.append(_Layer(name, weight[0], weight[1], len(weight) > 2))
        elif len(weight) == 1 and tensors.keys() <= _VECTORS and set(tensors.values()) == {weight}:
            vectors[name] = weight[0]
        else:
            return None
        if len(_numbers(name)) > 1:  # repeated blocks: there may be skip connections, which shapes do not show
            return None
    chain = _only_chain(layers)
    if chain is None or len(chain) < 2:
        return None
    owners = {name: _owner(name, size, chain) for name, size in vectors.items()}
    if None in owners.values():
        return None
    return PermutationSpec(tuple(_units(shapes, modules, owners, pair) for pair in pairwise(chain)))


def permute(arrays: Mapping[str, Floats], units: Units, order: Ints) -> dict[str, Floats]:
    """The same function with the units of one group in another order: new unit i is old unit ``order[i]``."""
    moved = dict(arrays)
    for axis in (*units.produced, *units.read):
        moved[axis.tensor] = _split(moved[axis.tensor], axis, units.size).take(order, axis.axis).reshape(
            moved[axis.tensor].shape
        )  # fmt: skip
    return moved


def rescale(arrays: Mapping[str, Floats], units: Units, scales: Floats) -> dict[str, Floats]:
    """Each unit times its scale [units], its readers divided by it: the same function under ReLU, scales positive."""
    moved = dict(arrays)
    for axes, factors in ((units.produced, scales), (units.read, 1 / scales)):
        for axis in axes:
            array = moved[axis.tensor]
            split = _split(array, axis, units.size)
            sides = [1] * split.ndim
            sides[axis.axis] = units.size
            moved[axis.tensor] = (split * factors.reshape(sides)).reshape(array.shape)
    return moved


def rows(array: Floats, axis: Axis, size: int) -> Floats:
    """What each unit has in a tensor, [units, values]."""
    return np.moveaxis(_split(array, axis, size), axis.axis, 0).reshape(size, -1)


def unrows(values: Floats, axis: Axis, shape: Sequence[int]) -> Floats:
    """The tensor of ``shape`` that `rows` makes ``values`` [units, values] of."""
    split = (*shape[: axis.axis], len(values), axis.inner, *shape[axis.axis + 1 :])
    front = (split[axis.axis], *split[: axis.axis], *split[axis.axis + 1 :])
    return np.moveaxis(values.reshape(front), 0, axis.axis).reshape(tuple(shape))


def _split(array: Floats, axis: Axis, size: int) -> Floats:
    return array.reshape((*array.shape[: axis.axis], size, axis.inner, *array.shape[axis.axis + 1 :]))


def _units(
    shapes: Shapes,
    modules: Mapping[str, Mapping[str, object]],
    owners: Mapping[str, str | None],
    pair: tuple[_Layer, _Layer],
) -> Units:
    layer, reader = pair
    norms = [name for name, owner in owners.items() if owner == layer.name]
    produced = [_tensor(name, leaf) for name in (layer.name, *norms) for leaf in sorted(modules[name], reverse=True)]
    return Units(
        size=layer.out,
        produced=tuple(Axis(tensor, 0) for tensor in produced),
        read=(Axis(_tensor(reader.name, "weight"), 1, reader.into // layer.out),),
        scalable=not norms,
    )


def _tensor(module: str, leaf: str) -> str:
    return f"{module}.{leaf}" if module else leaf


def _numbers(name: str) -> list[tuple[str, int]]:
    """Numbered parts of a dotted name: what stands before the number, and the number."""
    found = [(re.match(r"(.*?)(\d+)$", part)) for part in name.split(".")]
    return [(match[1], int(match[2])) for match in found if match]


def _place(name: str) -> tuple[str, int | None]:
    """A name without its number, and the number."""
    numbers = _numbers(name)
    if not numbers:
        return name, None
    return ".".join(re.sub(r"\d+$", "#", part) for part in name.split(".")), numbers[0][1]


def _follows(layer: _Layer, reader: _Layer) -> bool:
    if layer.conv and not reader.conv:
        return reader.into % layer.out == 0
    return layer.conv == reader.conv and reader.into == layer.out


def _only_chain(layers: Sequence[_Layer]) -> tuple[_Layer, ...] | None:
    """The one order in which every layer reads the one before and numbered names count up; None if not exactly one."""
    tries = 0

    def chains(done: tuple[_Layer, ...], left: frozenset[_Layer]) -> Iterator[tuple[_Layer, ...]]:
        nonlocal tries
        tries += 1
        if not left:
            yield done
        for layer in sorted(left, key=lambda one: one.name):
            if tries > _TRIES or (done and not _follows(done[-1], layer)):
                continue
            stem, number = _place(layer.name)
            rivals = [_place(other.name) for other in left if other is not layer]
            if number is None or all(other != stem or (n or 0) > number for other, n in rivals):
                yield from chains((*done, layer), left - {layer})

    found = chains((), frozenset(layers))
    first, second = next(found, None), next(found, None)
    return first if second is None and tries <= _TRIES else None


def _owner(name: str, size: int, chain: Sequence[_Layer]) -> str | None:
    """The layer whose outputs these vectors belong to: by number, else by being the only one of its width."""
    stem, number = _place(name)
    if number is not None:
        places = [(_place(one.name), one) for one in chain]
        before = [(n, one) for (other, n), one in places if other == stem and n is not None and n < number]
        named = [max(before, key=lambda row: row[0])[1]] if before else [one for (_, n), one in places if n == number]
        if named:
            return named[0].name if len(named) == 1 and named[0].out == size else None
    wide = [one for one in chain if one.out == size]
    return wide[0].name if len(wide) == 1 and chain[0].into != size else None
