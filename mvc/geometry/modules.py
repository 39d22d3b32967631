"""Tensors grouped by the module they belong to, and the units that layers with normalisation make. Reads no values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mvc.geometry.permutations import Axis, Scaling, Shapes, Units

Modules = Mapping[str, Mapping[str, tuple[int, ...]]]

_LAYER, _VECTORS = frozenset({"weight", "bias"}), frozenset({"weight", "bias", "running_mean", "running_var"})


@dataclass(frozen=True)
class Layer:
    """A fully connected or convolutional layer, weight [out, into, ...]."""

    name: str
    out: int
    into: int
    conv: bool


@dataclass(frozen=True)
class Writer:
    """A layer and the names of the normalisations that stand behind it."""

    layer: str
    norms: tuple[str, ...]


def modules_of(shapes: Shapes) -> dict[str, dict[str, tuple[int, ...]]]:
    """Module → leaf → shape, counters left out."""
    modules: dict[str, dict[str, tuple[int, ...]]] = {}
    for tensor, shape in shapes.items():
        module, _, leaf = tensor.rpartition(".")
        if leaf != "num_batches_tracked":
            modules.setdefault(module, {})[leaf] = shape
    return modules


def layers_and_vectors(modules: Modules) -> tuple[list[Layer], dict[str, int]] | None:
    """Layers, and normalisation vectors with their lengths; None where a module is neither."""
    layers, vectors = [], {}
    for name, tensors in modules.items():
        weight = tensors.get("weight", ())
        if len(weight) >= 2 and tensors.keys() <= _LAYER and tensors.get("bias", weight[:1]) == weight[:1]:
            layers.append(Layer(name, weight[0], weight[1], len(weight) > 2))
        elif len(weight) == 1 and tensors.keys() <= _VECTORS and set(tensors.values()) == {weight}:
            vectors[name] = weight[0]
        else:
            return None
    return layers, vectors


def numbers(name: str) -> list[tuple[str, int]]:
    """Numbered parts of a dotted name: what stands before the number, and the number."""
    found = [re.match(r"(.*?)(\d+)$", part) for part in name.split(".")]
    return [(match[1], int(match[2])) for match in found if match]


def tensor(module: str, leaf: str) -> str:
    return f"{module}.{leaf}" if module else leaf


def reads(layer: Layer, size: int) -> Axis:
    """Where a layer takes ``size`` units in; flattened channels are several inputs each."""
    return Axis(tensor(layer.name, "weight"), 1, layer.into // size)


def units_of(modules: Modules, size: int, writers: Sequence[Writer], read: Sequence[Axis]) -> Units:
    """The units that all ``writers`` write (added up, where there are several) and the ``read`` axes take in.

    Scales: what batch normalisation undoes, for each writer; and, under ReLU, units against readers. Other
    normalisations allow none, as names do not tell what they normalise over.
    """
    produced: list[Axis] = []
    grown: list[Axis] = []
    undone: list[tuple[tuple[Axis, int], ...]] = []
    scalable = True
    for writer in writers:
        own = list(_axes(modules, writer.layer))
        norms = [axis for norm in writer.norms for axis in _axes(modules, norm)]
        produced += [*own, *norms]
        if not writer.norms:
            grown += own
            continue
        scalable &= len(writer.norms) == 1 and "running_var" in modules[writer.norms[0]]
        leaves = [(axis, axis.tensor.rpartition(".")[2]) for axis in norms]
        grown += [axis for axis, leaf in leaves if leaf in _LAYER]
        statistics = {"running_mean": 1, "running_var": 2}
        undone.append(
            (*((axis, 1) for axis in own), *((axis, statistics[leaf]) for axis, leaf in leaves if leaf in statistics))
        )
    against = (*((axis, 1) for axis in grown), *((axis, -1) for axis in read))
    scalings = tuple(Scaling(size, powers) for powers in (*undone, against)) if scalable else ()
    return Units(size=size, produced=tuple(produced), read=tuple(read), scalings=scalings)


def _axes(modules: Modules, module: str) -> Iterable[Axis]:
    return (Axis(tensor(module, leaf), 0) for leaf in sorted(modules[module], reverse=True))
