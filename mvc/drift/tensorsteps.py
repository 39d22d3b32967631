"""What one pair of tensors tells of a step, as a value with one byte form. Owns the record; measures nothing.

All figures are of finite values: where either side is NaN or infinite both count as zero, and as ``nonfinite``.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from mvc.drift.moves import MOVE

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

#: changes whenever the same pair would give other bytes; records of other versions are not read
PROFILE_VERSION = 4
_HEAD = struct.Struct("<B15s15sB")


class Change(NamedTuple):
    """One value's change: its flat place, and what it was and is."""

    place: int
    before: float
    now: float


class Move(NamedTuple):
    """Unit ``unit`` now beside the unit before that it is nearest to: squared distances to its ``own`` and to that
    ``other`` one, and its squared norm, ``size``.
    """

    unit: int
    source: int
    own: float
    other: float
    size: float


@dataclass(frozen=True, eq=False)
class TensorStep:
    """Figures of one tensor before and now, equal shapes [*shape]; rows are axis 0, columns all that follows it.

    ``zeroed`` counts values that are zero now and were not, in ``zeroed_first`` ≤ flat place < ``zeroed_stop``;
    ``squared_zeroed`` is Σ before² of them. ``bits_*`` is how many bits of a mantissa any value uses, ``saturated`` how
    many values lie at the largest magnitude now. ``effective_rank`` is the change's (`mvc.geometry.effective`), 0 where
    it has none. ``row_shares`` [≤ 64] and ``column_shares`` [≤ 256; 0 for vectors] are shares of Σ change² by
    contiguous groups of rows and of columns, where columns of one input channel stay together; ``row_sums`` [as rows]
    are Σ change by rows over ‖change‖. ``changes`` [≤ 16, 3] are flat place, before and now of the largest changes,
    largest first. ``samples`` [2, ≤ 64] are values at evenly spaced places, before and now. ``row_moves`` and
    ``column_moves`` [≤ 16, 5]: of the rows (positions on axis 1) that changed most, those that are nearer to another
    one before than to themselves, as in `Move`.
    """

    dtype_before: str
    dtype_now: str
    shape: tuple[int, ...]
    numel: int
    nonfinite: int
    changed: int
    zeros_now: int
    zeroed: int
    zeroed_first: int
    zeroed_stop: int
    bits_before: int
    bits_now: int
    saturated: int
    squared_distance: float
    squared_before: float
    squared_now: float
    squared_zeroed: float
    inner: float
    low_before: float
    high_before: float
    low_now: float
    high_now: float
    effective_rank: float
    row_shares: Singles
    row_sums: Singles
    column_shares: Singles
    samples: Singles
    changes: Floats
    row_moves: Floats
    column_moves: Floats

    @property
    def distance(self) -> float:
        return math.sqrt(self.squared_distance)

    @property
    def max_before(self) -> float:
        return max(abs(self.low_before), abs(self.high_before))

    @property
    def max_now(self) -> float:
        return max(abs(self.low_now), abs(self.high_now))

    @property
    def constant_before(self) -> bool:
        return self.low_before == self.high_before

    @property
    def constant_now(self) -> bool:
        return self.low_now == self.high_now

    @property
    def cosine(self) -> float | None:
        """Between before and now; None where a side is zero."""
        norms = math.sqrt(self.squared_before) * math.sqrt(self.squared_now)
        return max(-1.0, min(1.0, self.inner / norms)) if norms > 0 else None

    @property
    def row_energies(self) -> Floats:
        """Σ change² by groups of rows [≤ 64]."""
        energies: Floats = self.row_shares.astype(np.float64) * self.squared_distance
        return energies

    @property
    def column_energies(self) -> Floats:
        """Σ change² by groups of columns [≤ 256]."""
        energies: Floats = self.column_shares.astype(np.float64) * self.squared_distance
        return energies

    @cached_property
    def largest(self) -> tuple[Change, ...]:
        """The largest changes, largest first."""
        return tuple(Change(int(place), before, now) for place, before, now in self.changes.tolist())

    @property
    def moved_rows(self) -> tuple[Move, ...]:
        return _moves(self.row_moves)

    @property
    def moved_columns(self) -> tuple[Move, ...]:
        return _moves(self.column_moves)

    def pack(self) -> bytes:
        """Canonical bytes, little-endian."""
        head = _HEAD.pack(
            PROFILE_VERSION, self.dtype_before.encode("ascii"), self.dtype_now.encode("ascii"), len(self.shape)
        )
        arrays = [getattr(self, name) for name in _ARRAYS]
        counts = [*self.shape, *(array.size for array in arrays), *(getattr(self, name) for name in _COUNTS)]
        figures = [getattr(self, name) for name in _FIGURES]
        parts = [array.astype(array.dtype.newbyteorder("<")).tobytes() for array in arrays]
        return b"".join([head, struct.pack(f"<{len(counts)}q{len(figures)}d", *counts, *figures), *parts])

    @classmethod
    def unpack(cls, data: bytes) -> Self | None:
        """The record of these bytes; None where another version wrote them."""
        if not data or data[0] != PROFILE_VERSION:
            return None
        _, before, now, dims = _HEAD.unpack_from(data)
        table = struct.Struct(f"<{dims + len(_ARRAYS) + len(_COUNTS)}q{len(_FIGURES)}d")
        values: tuple[Any, ...] = table.unpack_from(data, _HEAD.size)
        shape, sizes, rest = values[:dims], values[dims : dims + len(_ARRAYS)], values[dims + len(_ARRAYS) :]
        found: dict[str, Any] = dict(zip((*_COUNTS, *_FIGURES), rest, strict=True))
        at = _HEAD.size + table.size
        for (name, (kind, columns)), size in zip(_ARRAYS.items(), sizes, strict=True):
            array = np.frombuffer(data, kind, size, at)
            found[name] = array.reshape(-1, columns) if columns else array
            at += array.nbytes
        found["samples"] = found["samples"].reshape(2, -1)
        found["dtype_before"], found["dtype_now"] = (text.rstrip(b"\0").decode("ascii") for text in (before, now))
        return cls(shape=shape, **found)


#: array → how it is spelled, and its columns where it has a fixed number of them
_ARRAYS = {
    "row_shares": ("<f4", 0),
    "row_sums": ("<f4", 0),
    "column_shares": ("<f4", 0),
    "samples": ("<f4", 0),
    "changes": ("<f8", 3),
    "row_moves": ("<f8", MOVE),
    "column_moves": ("<f8", MOVE),
}
_COUNTS = tuple(item.name for item in fields(TensorStep) if item.type == "int")
_FIGURES = tuple(item.name for item in fields(TensorStep) if item.type == "float")


def _moves(rows: Floats) -> tuple[Move, ...]:
    return tuple(Move(int(unit), int(source), *figures) for unit, source, *figures in rows.tolist())
