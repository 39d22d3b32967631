"""A model's flat weights cut into tokens, from names and shapes. Owns the places of every token's weights; reads no
values.

Which rows and columns belong to one hidden unit is what the `PermutationSpec` says that the engine matches units by. A
token is a row of places in the flat vector [d], so that cutting is one gather.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mvc.errors import InputError
from mvc.geometry.layouts import derive
from mvc.geometry.permutations import Axis, Ints, PermutationSpec, Shapes, rows

#: weights of the largest model that is embedded
LARGEST = 10_000_000


@dataclass(frozen=True, eq=False)
class Layout:
    """An architecture whose symmetry is known: ``places`` has every tensor's indices into the flat vector [size]."""

    shapes: Mapping[str, tuple[int, ...]]
    spec: PermutationSpec
    places: Mapping[str, Ints]
    size: int


@dataclass(frozen=True, eq=False)
class Kind:
    """Tokens of one layer: ``slots`` [count, width] are places in the flat vector."""

    name: str
    slots: Ints


@dataclass(frozen=True, eq=False)
class Edges:
    """Weights between two groups of hidden units: ``slots`` [units of ``to``, units of ``source``, width]."""

    name: str
    to: int
    source: int
    slots: Ints


@dataclass(frozen=True, eq=False)
class Graph:
    """A model as hidden units and what joins them. Groups are numbered as in the spec.

    ``units`` has for each group what its units have by themselves and with inputs and outputs (width 0: nothing);
    ``edges`` what they have with hidden units; ``rest`` [width], what belongs to no hidden unit.
    """

    units: tuple[Kind, ...]
    edges: tuple[Edges, ...]
    rest: Ints


def layout(shapes: Shapes) -> Layout:
    """The layout of flat vectors in which these tensors follow each other. Raises InputError where none is known."""
    size = sum(math.prod(shape) for shape in shapes.values())
    if not 0 < size <= LARGEST:
        raise InputError(f"embeddings are learned of models of 1 to {LARGEST:,} weights, this one has {size:,}")
    spec = derive(shapes)
    if spec is None or not spec.units or spec.heads is not None:
        raise InputError(
            f"the layers of this architecture are not understood: {_listed(shapes)}",
            hint="embeddings need named fully connected or convolutional layers with at least one hidden layer",
        )
    places: dict[str, Ints] = {}
    start = 0
    for name, shape in shapes.items():
        places[name] = np.arange(start, start + math.prod(shape)).reshape(shape)
        start += math.prod(shape)
    return Layout(dict(shapes), spec, places, size)


def weight_tokens(of: Layout) -> tuple[Kind, ...]:
    """A token for each weight, a kind for each tensor."""
    return tuple(Kind(name, places.reshape(-1, 1)) for name, places in of.places.items())


def neuron_tokens(of: Layout) -> tuple[Kind, ...]:
    """A token for each neuron: its incoming weights, its bias and normalisation. Outputs are neurons too."""
    hidden = [_kind(of, axes=units.produced, size=units.size) for units in of.spec.units]
    produced = {axis.tensor for units in of.spec.units for axis in units.produced}
    outputs: dict[str, list[Ints]] = {}
    for name, places in of.places.items():
        if name not in produced:
            outputs.setdefault(name.rpartition(".")[0], []).append(places.reshape(len(places), -1))
    return (*hidden, *(Kind(module, np.concatenate(parts, 1)) for module, parts in outputs.items()))


def unit_tokens(of: Layout) -> tuple[Kind, ...]:
    """A token for each hidden unit, its incoming and outgoing weights joined, and one for what no hidden unit has."""
    hidden = [_kind(of, axes=units.axes, size=units.size) for units in of.spec.units]
    rest = _rest(of)
    return (*hidden, Kind("rest", rest[None, :])) if rest.size else tuple(hidden)


def graph(of: Layout) -> Graph:
    """The model as hidden units and the weights between them. Raises InputError where a weight joins more than two."""
    owners: dict[str, list[tuple[int, Axis]]] = {}
    for number, units in enumerate(of.spec.units):
        for axis in units.axes:
            owners.setdefault(axis.tensor, []).append((number, axis))
    own: list[list[Ints]] = [[] for _ in of.spec.units]
    edges = []
    for tensor, axes in owners.items():
        sizes = [of.spec.units[number].size for number, _ in axes]
        if len(axes) == 1:
            own[axes[0][0]].append(rows(of.places[tensor], axes[0][1], sizes[0]))
        elif len(axes) == 2 and axes[0][1].axis != axes[1][1].axis:
            (to, first), (source, second) = axes
            edges.append(Edges(tensor, to, source, _between(of.places[tensor], (first, second), sizes)))
        else:
            raise InputError(f"{tensor!r} joins more than two groups of hidden units; no invariant encoder takes it")
    nodes = tuple(
        Kind(_name(units.produced), np.concatenate([*parts, np.empty((units.size, 0), np.intp)], 1))
        for units, parts in zip(of.spec.units, own, strict=True)
    )
    return Graph(nodes, tuple(edges), _rest(of))


def _between(places: Ints, axes: tuple[Axis, Axis], sizes: Sequence[int]) -> Ints:
    """Places [units, units, width] of a tensor two of whose axes hold units."""
    (first, second), (many, others) = axes, sizes
    moved = np.moveaxis(places, (first.axis, second.axis), (0, 1))
    moved = moved[np.ix_(first.places(many).ravel(), second.places(others).ravel())]
    split = moved.reshape(first.outer, many, first.inner, second.outer, others, second.inner, -1)
    return np.moveaxis(split, (1, 4), (0, 1)).reshape(many, others, -1)


def _kind(of: Layout, *, axes: Sequence[Axis], size: int) -> Kind:
    return Kind(_name(axes), np.concatenate([rows(of.places[axis.tensor], axis, size) for axis in axes], 1))


def _name(axes: Sequence[Axis]) -> str:
    return axes[0].tensor.rpartition(".")[0]


def _rest(of: Layout) -> Ints:
    """Places of the tensors in which no hidden unit moves, [width]."""
    moved = of.spec.tensors
    return np.concatenate([np.empty(0, np.intp), *(p.ravel() for name, p in of.places.items() if name not in moved)])


def _listed(shapes: Shapes) -> str:
    named = [f"{name} {'×'.join(map(str, shape))}" for name, shape in shapes.items()]
    return ", ".join(named[:4]) + (f" and {len(named) - 4} more" if len(named) > 4 else "")
