"""Damage that shows in one step of a lineage: tensors that died, were scaled or cast. Owns MVC013, MVC015 and MVC017.

Everything is told from records of steps, so a commit and a file that nobody committed are judged alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from mvc.drift.catalogue import LIMIT
from mvc.drift.findings import RuleFinding
from mvc.drift.outliers import FLOATS, OUTLIER_WEIGHTS, outlier_weights
from mvc.drift.probabilities import student
from mvc.drift.profiles import StepProfile
from mvc.drift.swaps import swapped_units
from mvc.drift.tensorsteps import TensorStep

DEAD_TENSOR, SCALED_TENSOR, DTYPE_OVERFLOW = "MVC013", "MVC015", "MVC017"
#: largest magnitudes of narrow dtypes; a wider one that stops there was one of them
_LARGEST = {"float16": 65504.0, "bfloat16": 3.3895313892515355e38, "float8_e4m3fn": 448.0, "float8_e5m2": 57344.0}
#: fewer values may well be equal, or all of few bits
_FEW = 16
#: times the second largest value that the largest of a trained or initial tensor never is, however heavy its tail
_LONE = 1e6
#: share of values that may fall to zero in a cast
FLUSHED = 0.01
#: bits of precision that training does not lose
_LOST_BITS = 8
#: log of a tensor's growth: what it may vary by beside its past, and without one for matrices and for vectors
_LOOSE, _MATRIX, _VECTOR = 0.1, 0.35, 0.6
_PAST, _ENOUGH, _FREEDOM = 8, 3, 5
#: share of a tensor's squared norm that one value of it has in no healthy one of several values
_ALONE = 0.8
#: degrees of freedom of growth where the past says nothing: what it may vary by is known from many runs
_MANY = 30
#: growth that is none, whatever the past says
_LEAST_GROWTH = math.log(1.4)


def integrity_findings(step: StepProfile, past: Sequence[StepProfile]) -> tuple[RuleFinding, ...]:
    """What the step into a checkpoint tells of damage to it; ``past``: earlier steps of its lineage, oldest first."""
    found = [*_single_tensors(step, past), *swapped_units(step, past)]
    # where a whole tensor is another one, its largest changes say nothing of their own
    explained = {finding.tensor for finding in found}
    found += [finding for finding in outlier_weights(step, past) if finding.tensor not in explained]
    return tuple(sorted(found, key=lambda finding: (finding.rule, finding.tensor or "")))


def state_findings(state: StepProfile) -> tuple[RuleFinding, ...]:
    """What a checkpoint that nothing came before tells of itself; ``state``: the step to it from zeros."""
    found = []
    for name, one in state.tensors.items():
        sizes = [abs(change.now) for change in one.largest]
        if one.numel >= _FEW and len(sizes) > 1 and sizes[0] > _LONE * sizes[1]:
            message = f"one weight is {one.largest[0].now:.4g}, a million times beyond every other of the tensor"
            found.append(RuleFinding(OUTLIER_WEIGHTS, message, sizes[0], _LONE * sizes[1], 0.0, name))
        elif (finding := _overflown(name, one)) is not None:
            found.append(finding)
    return tuple(found)


def _single_tensors(step: StepProfile, past: Sequence[StepProfile]) -> Iterator[RuleFinding]:
    for name, one in step.tensors.items():
        before = [row.tensors[name] for row in past[-_PAST:] if name in row.tensors]
        for finding in (_dead(name, one), _overflown(name, one), _scaled(name, one, before)):
            if finding is not None:
                yield finding
                break


def _dead(name: str, step: TensorStep) -> RuleFinding | None:
    lost = step.zeroed > 0 and step.nonfinite == 0
    if lost and step.numel > 1 and step.zeros_now == step.numel:
        return RuleFinding(DEAD_TENSOR, "all its values are zero and were not", float(step.zeroed), 0.0, 0.0, name)
    if step.constant_now and not step.constant_before and step.numel >= _FEW:
        spread = step.high_before - step.low_before
        # few levels of a coarse dtype may well become one
        if spread > 4 * math.ldexp(step.max_before, -max(step.bits_before, 1)):
            message = f"all its values are {step.low_now:.4g} and were not equal"
            return RuleFinding(DEAD_TENSOR, message, float(step.numel), 0.0, 0.0, name)
    together = step.zeroed_stop - step.zeroed_first == step.zeroed
    usual = step.squared_before / step.numel if step.numel else 0.0
    # what fades to zero was all but zero before
    if lost and together and step.zeroed >= _FEW and step.squared_zeroed > 1e-8 * usual * step.zeroed:
        message = f"{step.zeroed:,} values in a row are zero and were not, from value {step.zeroed_first:,} on"
        return RuleFinding(DEAD_TENSOR, message, float(step.zeroed), 0.0, 0.0, name)
    return None


def _scaled(name: str, step: TensorStep, past: Sequence[TensorStep]) -> RuleFinding | None:
    """A tensor that grew or shrank as none of its past does, and still points where it did."""
    growth, cosine = _growth(step), step.cosine
    known = [value for one in past if (value := _growth(one)) is not None]
    alone = step.max_now * step.max_now > _ALONE * step.squared_now
    if growth is None or cosine is None or alone or (step.constant_before and not known):
        return None
    if len(known) >= _ENOUGH:
        centre = float(np.mean(known))
        scale = (float(np.std(known)) + _LOOSE) * math.sqrt(1 + 1 / len(known))
        bends = [1 - value**2 for one in past if (value := one.cosine) is not None]
        aligned = 1 - cosine**2 <= max(0.1, 4 * float(np.median(bends)))
    else:
        centre, scale = 0.0, _MATRIX if len(step.shape) > 1 else _VECTOR
        # the first steps of a run turn tensors by any angle
        aligned = True
    freedom = _FREEDOM + 2 * len(known) if len(known) >= _ENOUGH else _MANY
    surprise = abs(growth - centre)
    probability = 2 * float(student(freedom, -surprise / scale))
    if not aligned or surprise < _LEAST_GROWTH or probability >= LIMIT:
        return None
    ratio = math.exp(min(growth, 700.0))
    message = f"it is {ratio:.3g}× as large as before and points the same way (cosine {cosine:.2f})"
    return RuleFinding(SCALED_TENSOR, message, ratio, math.exp(centre), probability, name)


def _growth(step: TensorStep) -> float | None:
    """Log of the ratio of norms; None where a side is zero."""
    both = 0 < step.squared_before < math.inf and 0 < step.squared_now < math.inf
    return 0.5 * math.log(step.squared_now / step.squared_before) if both else None


def _overflown(name: str, step: TensorStep) -> RuleFinding | None:
    narrow = next((dtype for dtype, top in _LARGEST.items() if step.max_now == top != step.max_before), None)
    if narrow is not None and (step.saturated > 1 or step.dtype_now == narrow):
        message = f"{step.saturated:,} values stop at the largest {narrow} ({step.max_now:.6g})"
        return RuleFinding(DTYPE_OVERFLOW, message, float(step.saturated), 0.0, 0.0, name)
    if step.zeroed > FLUSHED * step.numel and step.dtype_now != step.dtype_before and step.zeroed > 1:
        message = (
            f"{step.zeroed:,} of {step.numel:,} values fell to zero as {step.dtype_before} became {step.dtype_now}"
        )
        return RuleFinding(DTYPE_OVERFLOW, message, float(step.zeroed), FLUSHED * step.numel, 0.0, name)
    wide = FLOATS.get(step.dtype_now, (0, 0))[0]
    lost = step.bits_before - step.bits_now
    spread = step.numel >= _FEW and not step.constant_now and step.changed > 0
    if spread and lost >= _LOST_BITS and step.bits_now < wide - _LOST_BITS:
        message = (
            f"its values have {step.bits_now} bits of precision and had {step.bits_before}: "
            f"they went through a narrower dtype than {step.dtype_now}"
        )
        return RuleFinding(DTYPE_OVERFLOW, message, float(step.bits_now), float(step.bits_before), 0.0, name)
    return None
