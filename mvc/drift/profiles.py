"""Steps as figures: two tensors in, a small record of what happened between them out. Owns the measuring.

Each pair is read once, some thousand values at a time and in double precision, so that memory is that of the two
tensors. A record is a function of the pair alone and can be kept by the ids of both.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from mvc.drift.moves import moved_columns, moved_rows
from mvc.drift.tensorsteps import PROFILE_VERSION, Change, Floats, Move, TensorStep
from mvc.geometry.effective import effective_rank

__all__ = ["PROFILE_VERSION", "Change", "Move", "StepProfile", "TensorStep", "profile_step", "profile_tensor"]

#: most groups of rows, groups of columns, largest changes and sampled values of one record
ROWS, COLUMNS, LARGEST, SAMPLES = 64, 256, 16, 64
#: values looked at together: a few arrays of doubles that stay in a processor's cache
_BLOCK = 1 << 15
_MANTISSA = np.uint64((1 << 52) - 1)


@dataclass(frozen=True, eq=False)
class StepProfile:
    """Name → record, of all tensors that both checkpoints of a step have in one shape."""

    tensors: Mapping[str, TensorStep]

    @cached_property
    def squared_distance(self) -> float:
        return math.fsum(step.squared_distance for step in self.tensors.values())

    @property
    def distance(self) -> float:
        return math.sqrt(self.squared_distance)

    @cached_property
    def squared_before(self) -> float:
        return math.fsum(step.squared_before for step in self.tensors.values())

    @cached_property
    def squared_now(self) -> float:
        return math.fsum(step.squared_now for step in self.tensors.values())

    @cached_property
    def inner(self) -> float:
        return math.fsum(step.inner for step in self.tensors.values())

    def pack(self) -> bytes:
        """Canonical bytes of the records, without the names, in their order."""
        parts = [step.pack() for step in self.tensors.values()]
        return b"".join(piece for part in parts for piece in (len(part).to_bytes(8, "little"), part))

    @classmethod
    def unpack(cls, names: Iterable[str], data: bytes) -> Self | None:
        """The step of these bytes, with the names that it was packed with; None where another version wrote them."""
        tensors, at = {}, 0
        for name in names:
            size = int.from_bytes(data[at : at + 8], "little")
            step = TensorStep.unpack(data[at + 8 : at + 8 + size])
            if step is None:
                return None
            tensors[name] = step
            at += 8 + size
        return cls(tensors)


def profile_step(before: Mapping[str, npt.NDArray[Any]], now: Mapping[str, npt.NDArray[Any]]) -> StepProfile:
    """Records of all tensors of ``now`` that ``before`` has in the same shape, in the order of ``now``."""
    alike = (name for name in now if name in before and before[name].shape == now[name].shape)
    return StepProfile({name: profile_tensor(before[name], now[name]) for name in alike})


def profile_tensor(before: npt.NDArray[Any], now: npt.NDArray[Any]) -> TensorStep:
    """Record of two float arrays of one shape, of any float dtypes. Raises ValueError for different shapes."""
    if before.shape != now.shape:
        raise ValueError(f"shapes differ: {before.shape} and {now.shape}")
    shape = now.shape
    rows = shape[0] if shape else 1
    flat = (rows, now.size // rows if rows else 0)
    x, y = before.reshape(flat), now.reshape(flat)
    sums = _Sums(*flat)
    with np.errstate(over="ignore", invalid="ignore"):
        for place in _places(*flat):
            sums.add(x, y, place)
        kernel = math.prod(shape[2:])
        row_moves = moved_rows(x, y, sums.row_changes)
        column_moves = moved_columns(x, y, sums.column_changes, kernel) if len(shape) > 1 else row_moves[:0]
        return sums.record(before, now, kernel, row_moves, column_moves)


def _places(rows: int, columns: int) -> Iterator[tuple[slice, slice]]:
    """Pieces [rows, columns] that lie together in memory and hold at most ``_BLOCK`` values."""
    if rows * columns == 0:
        return
    band, width = max(1, _BLOCK // columns), min(columns, _BLOCK)
    for start in range(0, rows, band):
        for left in range(0, columns, width):
            yield slice(start, min(start + band, rows)), slice(left, min(left + width, columns))


@dataclass
class _Side:
    """What is gathered of one side."""

    zeros: int = 0
    square: float = 0.0
    low: float = math.inf
    high: float = -math.inf
    peaks: int = 0
    bits: np.uint64 = field(default_factory=lambda: np.uint64(0))

    def add(self, flat: Floats) -> int:
        """Further values; returns how many of them are zero."""
        zeros = flat.size - int(np.count_nonzero(flat != 0))  # comparing first is several times as fast
        self.zeros += zeros
        self.square += float(flat @ flat)
        low, high = float(flat.min()), float(flat.max())
        peak, top = max(-self.low, self.high), max(-low, high)
        if top >= peak:
            count = int(np.count_nonzero(np.abs(flat) == top))
            self.peaks = self.peaks + count if top == peak else count
        self.low, self.high = min(self.low, low), max(self.high, high)
        self.bits |= np.bitwise_or.reduce(flat.view(np.uint64)) & _MANTISSA
        return zeros

    @property
    def mantissa(self) -> int:
        """Bits of a mantissa that any value uses."""
        used = int(self.bits)
        return 53 - (used & -used).bit_length() if used else 0


class _Sums:
    """What is gathered of a pair [rows, columns]."""

    def __init__(self, rows: int, columns: int) -> None:
        self.before, self.now = _Side(), _Side()
        self.nonfinite = self.changed = self.zeroed = 0
        self.first, self.stop = 0, 0
        self.inner = self.squared_zeroed = 0.0
        self.row_changes, self.row_sums = np.zeros(rows), np.zeros(rows)
        self.column_changes = np.zeros(columns)
        self._width = columns
        #: columns: size of the change, flat index, before, now
        self._largest = np.empty((0, 4))
        self._scratch = np.empty((4, min(rows * columns, _BLOCK)))

    def add(self, x: npt.NDArray[Any], y: npt.NDArray[Any], place: tuple[slice, slice]) -> None:
        x, y = x[place], y[place]
        # the same memory for every piece: it stays in the cache, and new memory has to be cleared first
        a, b, change, squares = (row[: x.size] for row in self._scratch)
        np.copyto(a.reshape(x.shape), x)
        np.copyto(b.reshape(x.shape), y)
        np.subtract(b, a, out=change)
        np.multiply(change, change, out=squares)
        by_rows = squares.reshape(x.shape).sum(axis=1)
        if not math.isfinite(float(by_rows.sum())):
            # infinities of both sides differ by NaN, and so does a sum that overflowed by itself
            bad = ~(np.isfinite(a) & np.isfinite(b))
            self.nonfinite += int(np.count_nonzero(bad))
            a[bad] = b[bad] = change[bad] = squares[bad] = 0.0
            by_rows = squares.reshape(x.shape).sum(axis=1)
        self.before.add(a)
        zeros = self.now.add(b)
        self.inner += float(a @ b)
        self.changed += int(np.count_nonzero(change != 0))
        rows, columns = place
        self.row_changes[rows] += by_rows
        self.row_sums[rows] += change.reshape(x.shape).sum(axis=1)
        self.column_changes[columns] += squares.reshape(x.shape).sum(axis=0)
        start = rows.start * self._width + columns.start
        if zeros:
            self._add_zeroed(a, b, start)
        self._add_largest(a, b, squares, start)

    def _add_zeroed(self, a: Floats, b: Floats, start: int) -> None:
        gone = np.flatnonzero((b == 0) & (a != 0))
        if gone.size:
            if not self.zeroed:
                self.first = start + int(gone[0])
            self.zeroed += gone.size
            lost = a[gone]
            self.squared_zeroed += float(lost @ lost)
            self.stop = start + int(gone[-1]) + 1

    def _add_largest(self, a: Floats, b: Floats, squares: Floats, start: int) -> None:
        full = len(self._largest) == LARGEST
        places = np.flatnonzero(squares > (self._largest[-1, 0] if full else 0.0))
        if len(places) > LARGEST:
            places = np.sort(places[np.argpartition(-squares[places], LARGEST - 1)[:LARGEST]])
        if len(places):
            rows = np.stack([squares[places], start + places, a[places], b[places]], axis=1)
            rows = np.concatenate([self._largest, rows])
            self._largest = rows[np.argsort(-rows[:, 0], kind="stable")[:LARGEST]]

    def record(
        self, before: npt.NDArray[Any], now: npt.NDArray[Any], kernel: int, row_moves: Floats, column_moves: Floats
    ) -> TensorStep:
        square = float(self.row_changes.sum())
        length = math.sqrt(square)
        bounds = _row_bounds(len(self.row_changes)) if now.size else np.zeros(0, np.intp)
        edges = _column_bounds(self._width, kernel) if now.ndim > 1 and now.size else np.zeros(0, np.intp)
        places = np.linspace(0, max(now.size - 1, 0), min(now.size, SAMPLES)).astype(np.intp)
        samples = [np.nan_to_num(side.reshape(-1)[places].astype(np.float32)) for side in (before, now)]
        a, b = self.before, self.now
        return TensorStep(
            dtype_before=str(before.dtype),
            dtype_now=str(now.dtype),
            shape=tuple(now.shape),
            numel=now.size,
            nonfinite=self.nonfinite,
            changed=self.changed,
            zeros_now=b.zeros,
            zeroed=self.zeroed,
            zeroed_first=self.first,
            zeroed_stop=self.stop,
            bits_before=a.mantissa,
            bits_now=b.mantissa,
            saturated=b.peaks,
            squared_distance=square,
            squared_before=a.square,
            squared_now=b.square,
            squared_zeroed=self.squared_zeroed,
            inner=self.inner,
            low_before=a.low if now.size else 0.0,
            high_before=a.high if now.size else 0.0,
            low_now=b.low if now.size else 0.0,
            high_now=b.high if now.size else 0.0,
            effective_rank=effective_rank(before, now) or 0.0,
            row_shares=_grouped(self.row_changes, bounds, square),
            row_sums=_grouped(self.row_sums, bounds, length),
            column_shares=_grouped(self.column_changes, edges, square),
            samples=np.stack(samples),
            changes=self._largest[:, 1:].copy(),
            row_moves=row_moves,
            column_moves=column_moves,
        )


def _row_bounds(rows: int) -> npt.NDArray[np.intp]:
    groups = min(rows, ROWS)
    return np.arange(groups) * rows // max(groups, 1)


def _column_bounds(columns: int, kernel: int) -> npt.NDArray[np.intp]:
    """Where groups of columns start: each column alone while they are few, else whole input channels."""
    if columns <= COLUMNS or kernel == 0:
        return np.arange(columns)
    channels = columns // kernel
    groups = min(channels, COLUMNS)
    return (np.arange(groups) * channels // groups) * kernel


def _grouped(values: Floats, bounds: npt.NDArray[np.intp], whole: float) -> npt.NDArray[np.float32]:
    if not len(bounds):
        return np.empty(0, np.float32)
    sums = np.add.reduceat(values, bounds)
    return (sums / whole if 0 < whole < math.inf else np.zeros_like(sums)).astype(np.float32)
