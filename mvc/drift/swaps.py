"""Units and tensors that stand in each other's place. Owns what tells a swap from training (MVC016).

A unit that was moved is as near to where it came from as training leaves one, and far from its own place. In c
dimensions a normal change comes that much nearer to another unit by chance with probability about (ratio of squared
distances)^(c/2) for each of the units there are. Units that move together in rows of one tensor and columns of another
leave the function as it was: that is a permuted copy, not damage, and nothing is said.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from mvc.drift.catalogue import LIMIT
from mvc.drift.findings import RuleFinding
from mvc.drift.moves import SUSPECTS
from mvc.drift.profiles import StepProfile
from mvc.drift.tensorsteps import Floats, Move, TensorStep

SWAPPED_UNITS = "MVC016"
_TINY = 1e-30
#: share of the units that were looked up
_NEARLY_ALL = 0.75
#: ratio of squared distances below which something moved, and has not merely lost its likeness to what it was
_CLEAR = 0.5


@dataclass(frozen=True)
class _Swap:
    """Units of one tensor that stand in each other's place, on axis 0 or 1."""

    tensor: str
    axis: int
    units: int
    moves: tuple[Move, ...]
    log_probability: float


def swapped_units(step: StepProfile, past: Sequence[StepProfile]) -> Iterator[RuleFinding]:
    """Findings of swapped rows, of swapped columns, and of tensors of equal shape that changed places."""
    last = past[-1].tensors if past else {}
    swaps = [
        swap
        for name, one in step.tensors.items()
        for swap in [_likelier(_swap(name, one, last.get(name), axis) for axis in (0, 1) if len(one.shape) > 1)]
        if swap is not None
    ]
    for swap in swaps:
        if not any(_together(swap, other) for other in swaps):
            yield _finding(swap)
    yield from _swapped_tensors(step)


def _likelier(swaps: Iterable[_Swap | None]) -> _Swap | None:
    """Rows that change places move whatever is in their columns too, and the other way round."""
    return min((swap for swap in swaps if swap is not None), key=lambda swap: swap.log_probability, default=None)


def _swap(name: str, step: TensorStep, last: TensorStep | None, axis: int) -> _Swap | None:
    units = step.shape[axis]
    moves = _exchanged(step.moved_columns if axis else step.moved_rows, units)
    if not moves:
        return None
    width = step.numel // units
    usual = _usual(step.column_energies if axis else step.row_energies, units)
    if len(moves) > units / 2:
        # then what is usual now is the swap itself
        usual = min(usual, last.squared_distance / units) if last is not None else 0.0
    logs = [math.log(units) + width / 2 * math.log(min(1.0, max(m.other, usual) / m.own) + _TINY) for m in moves]
    total = math.fsum(logs)
    return _Swap(name, axis, units, tuple(moves), total) if total < math.log(LIMIT) else None


def _together(one: _Swap, other: _Swap) -> bool:
    """Whether two tensors' units moved alike, rows of one and columns of the other, perhaps a block to each row."""
    rows, columns = (one, other) if one.axis == 0 else (other, one)
    if one.tensor == other.tensor or rows.axis == columns.axis or columns.units % rows.units:
        return False
    block = columns.units // rows.units
    moved = {move.unit: move.source for move in rows.moves}
    same = [moved[m.unit // block] == m.source // block for m in columns.moves if m.unit // block in moved]
    # of many units that moved, those that were looked up may be others in each tensor
    return 2 * sum(same) >= len(same) if same else min(len(one.moves), len(other.moves)) >= _NEARLY_ALL * SUSPECTS


def _finding(swap: _Swap) -> RuleFinding:
    kind, moves = "columns" if swap.axis else "rows", swap.moves
    named = ", ".join(f"{move.unit} ← {move.source}" for move in moves[:4]) + (", …" if len(moves) > 4 else "")
    message = f"{len(moves)} {kind} or more stand in each other's place: {named}"
    if len(moves) == 2:
        message = f"{kind} {moves[0].unit} and {moves[1].unit} stand in each other's place"
    return RuleFinding(SWAPPED_UNITS, message, float(len(moves)), 0.0, math.exp(swap.log_probability), swap.tensor)


def _usual(energies: Floats, units: int) -> float:
    """Σ change² of a usual unit."""
    return float(np.median(energies)) * len(energies) / units if len(energies) else 0.0


def _exchanged(moves: Sequence[Move], units: int) -> list[Move]:
    """Those moves that permute the units they are of; all that have a source of their own where nearly all moved."""
    # what faded lies nearer to small units than to what it was, and is one of them no more than nothing is
    like = [move for move in moves if move.other < move.size]
    kept = [move for move in like if sum(other.source == move.source for other in moves) == 1]
    sure = [move for move in kept if move.other < _CLEAR * min(move.own, move.size)]
    if len(sure) >= _NEARLY_ALL * min(units, SUSPECTS):
        return sure
    while True:
        places, sources = {move.unit for move in kept}, {move.source for move in kept}
        closed = [move for move in kept if move.unit in sources and move.source in places]
        if len(closed) == len(kept):
            return closed
        kept = closed


def _swapped_tensors(step: StepProfile) -> Iterator[RuleFinding]:
    """Tensors whose sampled values are each other's of before."""
    alike: dict[tuple[int, ...], list[str]] = {}
    for name, one in step.tensors.items():
        if one.samples.shape[1] >= 8:
            alike.setdefault(one.shape, []).append(name)
    for names in alike.values():
        for a, b in combinations(names, 2):
            first, second = (step.tensors[name].samples.astype(np.float64) for name in (a, b))
            own = [_square(first[1] - first[0]), _square(second[1] - second[0])]
            other = [_square(first[1] - second[0]), _square(second[1] - first[0])]
            if not all(0 < here < math.inf and there < _CLEAR * here for here, there in zip(own, other, strict=True)):
                continue
            ratios = [math.log(there / here + _TINY) for here, there in zip(own, other, strict=True)]
            logs = 2 * math.log(len(names)) + first.shape[1] / 2 * math.fsum(ratios)
            if logs < math.log(LIMIT):
                # what one is now, the other was
                message = "it and another tensor of its shape stand in each other's place"
                for name in (a, b):
                    yield RuleFinding(SWAPPED_UNITS, message, 1.0, 0.0, math.exp(logs), name)


def _square(values: Floats) -> float:
    return float(values @ values)
