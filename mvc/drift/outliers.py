"""Single weights whose change stands out: flipped bits above all. Owns how likely the largest change is (MVC014).

Three independent looks at it. The tail of this step's changes: beyond some size they fall off like a power, so the
scaled spacings of the logarithms of the largest are exponential (Rényi 1953; Hill 1975), and the first beside the
others gives an exact probability whatever the power. The past: how far the largest change of this tensor stood above
its others in earlier steps. And the bit: whether the value now is, but for one bit of its exponent, what it was.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mvc.drift.catalogue import LIMIT
from mvc.drift.findings import RuleFinding
from mvc.drift.probabilities import student
from mvc.drift.profiles import StepProfile
from mvc.drift.tensorsteps import Change, TensorStep

OUTLIER_WEIGHTS = "MVC014"
#: bits of mantissa and exponent, by NumPy's name of the dtype
FLOATS = {
    "float64": (52, 11),
    "float32": (23, 8),
    "bfloat16": (7, 8),
    "float16": (10, 5),
    "float8_e4m3fn": (3, 4),
    "float8_e5m2": (2, 5),
}
#: changes of quantised weights are equal; no tail of real ones is thinner than this lets it be
_THIN = 0.5
#: how many changes may stand out together
_RANKS = 4
#: a bit that explains a change no better than this is not named
_NAMED = 0.5
#: a change that is no likelier is looked at for a flipped bit
_ODD = 0.02
#: tensors of fewer values have no tail of their own
_FEW = 16
#: earlier steps that are looked at, how many are needed, and what two crests may differ by in any training
_PAST, _ENOUGH, _LOOSE = 16, 3, 0.15


@dataclass(frozen=True)
class _Suspect:
    """``count`` changes of one tensor, the largest ones, and the probability of the likeliest explanation."""

    tensor: str
    count: int
    change: Change
    probability: float
    flipped: int | None


def outlier_weights(step: StepProfile, past: Sequence[StepProfile]) -> Iterator[RuleFinding]:
    """A finding for every tensor with weights whose change is less likely than the limit in normal training."""
    whole = sorted((pair for one in step.tensors.values() for pair in _pairs(one)), reverse=True)[:_FEW]
    for name, one in step.tensors.items():
        found = _suspect(name, one, [row.tensors[name] for row in past[-_PAST:] if name in row.tensors], whole, step)
        if found is not None and found.probability < LIMIT:
            yield _finding(found, one)


def _suspect(
    name: str, step: TensorStep, past: Sequence[TensorStep], whole: Sequence[tuple[float, float]], profile: StepProfile
) -> _Suspect | None:
    pairs = _pairs(step)
    if not pairs or max(sure for _, sure in pairs) <= 0:
        return None
    tensors = len(profile.tensors)
    rank, likely = 0, 1.0
    for sample, weight in ((pairs if step.numel >= _FEW else [], tensors), (whole, 1)):
        if sample and sample[0] == pairs[0]:
            rank, likely = min((rank, likely), _tail(sample, weight), key=lambda found: found[1])
    likely = min(likely, tensors * _crest_probability(step, past))
    bit, coincidence = _flip(step.largest[0], step)
    both = likely * coincidence
    if likely < _ODD and both > 0:
        # a product of two independent probabilities is itself this probable
        likely = min(likely, both * (1 - math.log(both)))
    return _Suspect(name, rank + 1, step.largest[0], likely, bit if coincidence < _NAMED else None)


def _pairs(step: TensorStep) -> list[tuple[float, float]]:
    return list(zip(_sizes(step), _beyond_rounding(step), strict=True))


def _sizes(step: TensorStep) -> list[float]:
    """Sizes of the largest changes, largest first."""
    return [abs(change.now - change.before) for change in step.largest]


def _beyond_rounding(step: TensorStep) -> list[float]:
    """The same, each less what rounding alone may be where a tensor's values are coarse."""
    bits = max(step.bits_before, step.bits_now)
    coarse = [math.ldexp(max(abs(c.before), abs(c.now)), -bits) if bits < 20 else 0.0 for c in step.largest]
    return [max(size - 1.5 * rounding, 0.0) for size, rounding in zip(_sizes(step), coarse, strict=True)]


def _tail(pairs: Sequence[tuple[float, float]], weight: int) -> tuple[int, float]:
    """How many of the largest changes stand out (less one), and the probability of that; (0, 1) without a tail.

    ``pairs`` are sizes, largest first, and the same beyond rounding.
    """
    kept = [pair for pair in pairs if pair[0] > 0]
    logs = [math.log(size) for size, _ in kept]
    spacings = [rank * (a - b) for rank, (a, b) in enumerate(pairwise(logs), 1)]
    best = (0, 1.0)
    for rank in range(min(_RANKS, len(spacings) - 2)):
        sure = max(kept[rank][1], kept[rank + 1][0])
        gap, rest = (rank + 1) * (math.log(sure) - logs[rank + 1]), spacings[rank + 1 :]
        probability = weight * 2**rank * (1 + gap / (math.fsum(rest) + _THIN)) ** -len(rest)
        if probability < best[1]:
            best = (rank, probability)
    return best


def _crest(step: TensorStep) -> float | None:
    """Log of the largest change over the root mean square of the others; None where that is undefined."""
    sizes, sure = _sizes(step), max(_beyond_rounding(step), default=0.0)
    if step.numel < 4 or len(sizes) < 2 or sure <= 0:
        return None
    # the difference cancels where one change holds all: the others that are known bound it
    rest = max(step.squared_distance - sizes[0] * sizes[0], sum(size * size for size in sizes[1:]))
    return math.log(sure / math.sqrt(rest / (step.numel - 1))) if 0 < rest < math.inf else None


def _crest_probability(step: TensorStep, past: Sequence[TensorStep]) -> float:
    now, before = _crest(step), [crest for one in past if (crest := _crest(one)) is not None]
    if now is None or len(before) < _ENOUGH:
        return 1.0
    scale = (float(np.std(before)) + _LOOSE) * math.sqrt(1 + 1 / len(before))
    return float(student(len(before) + _ENOUGH, -(now - float(np.mean(before))) / scale))


def _flip(change: Change, step: TensorStep) -> tuple[int | None, float]:
    """The bit of the exponent (0 the lowest) whose flip explains a change best; how probably by mere coincidence."""
    mantissa, exponent = FLOATS.get(step.dtype_now, FLOATS["float32"])
    size = abs(change.now - change.before)
    bit, best = None, 1.0
    if change.now == 0 or size == 0:
        return bit, best
    for place in range(exponent):
        for sign in (1, -1):
            factor = math.ldexp(1.0, sign * 2**place) if 2**place < 1024 else 0.0
            true = change.now / factor if factor else math.inf
            if not math.isfinite(true):
                continue
            miss = max(abs(true - change.before), math.ldexp(abs(true), -mantissa - 1))
            # values now that some bit takes as near to the one before, as a share of those that changed as much
            coincidence = 2 * miss * max(factor, 1.0) / size
            if coincidence < best:
                bit, best = place, coincidence
    return bit, best


def _finding(found: _Suspect, step: TensorStep) -> RuleFinding:
    change = found.change
    where = list(map(int, np.unravel_index(change.place, step.shape))) if step.shape else []
    message = f"the weight at {where} is {change.now:.4g} and was {change.before:.4g}"
    if found.flipped is not None:
        message += f", as if bit {found.flipped} of its exponent had flipped"
    if found.count > 1:
        message += f"; {found.count} weights stand out like it"
    size = abs(change.now - change.before)
    usual = math.sqrt(max(step.squared_distance - size * size, 0.0) / max(step.numel - 1, 1))
    return RuleFinding(OUTLIER_WEIGHTS, message, size, usual, found.probability, found.tensor)
