"""A tensor as a strided view of a stretch of a file. Owns reading one row-major, and in which order it lies densely.

Refuses views that reach outside their stretch or address more elements than it has: a 1.5 KB file must not become 10⁹
elements.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mvc.deferred import Deferred
from mvc.errors import FormatError
from mvc.formats.source import printable
from mvc.objects import DTYPES, TensorSpec

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    np = Deferred("numpy")

#: how elements are moved about, by size in bytes: as bits, whatever they mean
_CARRIERS = {1: "u1", 2: "u2", 4: "u4", 8: "u8", 16: "c16"}


@dataclass(frozen=True, slots=True)
class Region:
    """``length`` bytes at ``offset`` of a file that hold one storage; ``crc`` is what their CRC-32 must be.

    With ``inflated`` the bytes are a deflate stream of that many bytes, and ``crc`` is that of the inflated ones.
    """

    offset: int
    length: int
    crc: int | None = None
    inflated: int | None = None

    @property
    def content(self) -> int:
        """Bytes that views may address."""
        return self.length if self.inflated is None else self.inflated


@dataclass(frozen=True, slots=True)
class View:
    """A tensor in region number ``region``: ``start`` in bytes, ``strides`` in elements."""

    region: int
    start: int
    strides: tuple[int, ...]
    spec: TensorSpec
    big_endian: bool = False

    def __post_init__(self) -> None:
        if len(self.strides) != len(self.spec.shape) or self.start < 0 or any(s < 0 for s in self.strides):
            raise FormatError("a tensor's strides are malformed", hint="save the file again")

    @property
    def itemsize(self) -> int:
        return DTYPES[self.spec.dtype].bits // 8

    @property
    def span(self) -> int:
        """Bytes from the first element to the end of the last."""
        if not self.spec.numel:
            return 0
        return self.itemsize * (1 + sum((n - 1) * s for n, s in zip(self.spec.shape, self.strides, strict=True)))

    @property
    def axes(self) -> tuple[int, ...] | None:
        """The order of axes in which the file holds the tensor densely; None where there is none."""
        shape, strides = self.spec.shape, self.strides
        wide = [axis for axis in range(len(shape)) if shape[axis] != 1]
        order = sorted(wide, key=lambda axis: -strides[axis])
        dense = 1
        for axis in reversed(order):
            if strides[axis] != dense:
                return None
            dense *= shape[axis]
        if order == wide:
            return tuple(range(len(shape)))
        return (*order, *(axis for axis in range(len(shape)) if shape[axis] == 1))

    def check(self, region: Region, name: str) -> None:
        """Raises FormatError where the view leaves its region or repeats elements beyond the region's size."""
        if self.start + self.span > region.content:
            raise FormatError(f"tensor {printable(name)} reaches outside its storage", hint="save the file again")
        if self.spec.nbytes > region.content:
            raise FormatError(
                f"tensor {printable(name)} has more elements than its storage", hint="save a contiguous copy of it"
            )


def row_major(view: View, data: bytes | memoryview) -> bytes | memoryview:
    """Little-endian row-major bytes of a view, from the bytes that it spans."""
    axes = view.axes
    identity = axes == tuple(range(len(view.spec.shape)))
    swapped = view.big_endian and view.itemsize > 1
    if identity and not swapped:
        return data
    flat: npt.NDArray[Any] = np.frombuffer(data, dtype=_CARRIERS[view.itemsize])
    steps = tuple(stride * view.itemsize for stride in view.strides)
    # safe: `span` bytes were read, which is what these strides reach
    strided = np.lib.stride_tricks.as_strided(flat, view.spec.shape, steps, writeable=False)
    dense = np.ascontiguousarray(strided).reshape(-1).view(np.uint8)
    if swapped:
        part = view.itemsize // (2 if DTYPES[view.spec.dtype].number == "complex" else 1)
        dense = dense.view(_CARRIERS[part]).byteswap().view(np.uint8)
    return dense.data.toreadonly()


def contiguous_strides(shape: Sequence[int]) -> tuple[int, ...]:
    """Row-major strides in elements."""
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
