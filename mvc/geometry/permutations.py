"""Which axes of which tensors move together when a layer's units change places. Owns the symmetry as data.

A `PermutationSpec` lists groups of interchangeable units, after Ainsworth, Hayase and Srinivasa (Git Re-Basin, 2023);
`mvc.geometry.layouts` derives it from names and shapes. A unit may be a hidden neuron, a channel that runs through the
skip connections of a whole residual stage, or an attention head: a block of rows of three projections and of columns of
a fourth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.intp]
Shapes = Mapping[str, tuple[int, ...]]
Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True)
class Axis:
    """A stretch of a tensor's axis that holds units: from ``start`` on, ``outer`` times units × ``inner`` values.

    ``inner`` values of one unit lie side by side (a channel's pixels, a head's width); ``outer`` counts the parts of a
    fused tensor (query, key and value in one).
    """

    tensor: str
    axis: int
    inner: int = 1
    outer: int = 1
    start: int = 0

    def places(self, size: int) -> Ints:
        """Indices along the axis, [outer, units, inner]."""
        count = self.outer * size * self.inner
        return np.arange(self.start, self.start + count).reshape(self.outer, size, self.inner)


@dataclass(frozen=True)
class Scaling:
    """A factor for each of ``size`` units that leaves the function as it is: each axis is multiplied by factor**power.

    The first kind grows a unit and shrinks its readers, under a positively homogeneous activation (ReLU); the second
    grows what a batch normalisation undoes. All powers of the first axes are one.
    """

    size: int
    powers: tuple[tuple[Axis, int], ...]


@dataclass(frozen=True)
class Units:
    """Interchangeable units: ``produced`` axes hold what makes a unit, ``read`` what takes from it.

    ``carried`` axes move along, but say nothing of which unit is which, for they have a freedom of their own inside
    (the query heads that share one key).
    """

    size: int
    produced: tuple[Axis, ...]
    read: tuple[Axis, ...]
    carried: tuple[Axis, ...] = ()
    scalings: tuple[Scaling, ...] = ()

    @property
    def axes(self) -> tuple[Axis, ...]:
        """All that move."""
        return (*self.produced, *self.read, *self.carried)

    @property
    def scalable(self) -> bool:
        return bool(self.scalings)


@dataclass(frozen=True)
class PermutationSpec:
    """Groups of units from the input towards the output. Inputs and outputs of the whole network keep their order.

    ``heads``: how many values an attention head was taken to have; None without attention.
    """

    units: tuple[Units, ...]
    heads: int | None = None

    @property
    def tensors(self) -> frozenset[str]:
        """Names of the tensors that any group moves in."""
        return frozenset(axis.tensor for units in self.units for axis in units.axes)

    def among(self, names: Sequence[str]) -> PermutationSpec:
        """The same symmetry of these tensors alone. Groups of fewer than two units are left out."""
        kept = frozenset(names)

        def some(axes: Sequence[Axis]) -> tuple[Axis, ...]:
            return tuple(axis for axis in axes if axis.tensor in kept)

        def powers(scaling: Scaling) -> tuple[tuple[Axis, int], ...]:
            return tuple((axis, power) for axis, power in scaling.powers if axis.tensor in kept)

        groups = (
            Units(
                units.size,
                some(units.produced),
                some(units.read),
                some(units.carried),
                tuple(Scaling(scaling.size, powers(scaling)) for scaling in units.scalings),
            )
            for units in self.units
        )
        return PermutationSpec(tuple(one for one in groups if one.size > 1 and one.produced), self.heads)


def permute(arrays: Mapping[str, Floats], units: Units, order: Ints) -> dict[str, Floats]:
    """The same function with the units of one group in another order: new unit i is old unit ``order[i]``."""
    moved = dict(arrays)
    for axis in units.axes:
        array = moved[axis.tensor]
        index = np.arange(array.shape[axis.axis])
        places = axis.places(units.size)
        index[places] = places[:, order]
        moved[axis.tensor] = array.take(index, axis.axis)
    return moved


def rescale(arrays: Mapping[str, Floats], scaling: Scaling, factors: Floats) -> dict[str, Floats]:
    """The same function with each unit scaled by its factor [units]."""
    moved = dict(arrays)
    for axis, power in scaling.powers:
        array = moved[axis.tensor]
        along = np.ones(array.shape[axis.axis], array.dtype)
        along[axis.places(scaling.size)] = (factors**power)[None, :, None]
        moved[axis.tensor] = array * along.reshape([-1 if i == axis.axis else 1 for i in range(array.ndim)])
    return moved


def rows(array: npt.NDArray[Scalar], axis: Axis, size: int) -> npt.NDArray[Scalar]:
    """What each unit has in a tensor, [units, values]."""
    first = np.moveaxis(array, axis.axis, 0) if axis.axis else array
    if axis.outer == 1:
        return first[axis.start : axis.start + size * axis.inner].reshape(size, -1)
    return np.moveaxis(first[axis.places(size)], 1, 0).reshape(size, -1)  # [outer, units, inner, ...] before


def with_rows(array: Floats, axis: Axis, values: Floats) -> Floats:
    """The tensor of which `rows` makes ``values`` [units, values], elsewhere as it was."""
    changed = np.moveaxis(array.copy(), axis.axis, 0)
    places = axis.places(len(values))
    shape = (len(values), places.shape[0], places.shape[2], *changed.shape[1:])
    changed[places] = np.moveaxis(values.reshape(shape), 0, 1)
    return np.moveaxis(changed, 0, axis.axis)
