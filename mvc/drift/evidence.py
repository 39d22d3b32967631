"""From surprising figures to one number, its probability in normal training, and what may have caused it.

Owns the fitted numbers. The weights are those of a logistic regression, none negative, between healthy steps and steps
after a shift; the probability is read off the healthy ones alone. Both are fitted on trained populations by
``python -m benchmarks.drift.fit``, and judged on populations that they were not fitted on by
``python -m benchmarks.drift.measure``. Nothing here depends on an architecture: figures of one kind are taken together
over its tensors.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Literal

import numpy as np
import numpy.typing as npt

from mvc.drift.coefficients import BIAS, CAUSES, HEALTHY, WEIGHTS
from mvc.drift.walks import KINDS, Floats

Cause = Literal["data shift", "label corruption", "learning rate", "corruption", "wrong checkpoint"]

#: what causes are called in sentences
CALLED: Mapping[Cause, str] = MappingProxyType(
    {
        "data shift": "other data",
        "label corruption": "corrupted labels",
        "learning rate": "another learning rate",
        "corruption": "damage",
        "wrong checkpoint": "another checkpoint",
    }
)

#: kinds where a figure that is too large tells something else than one that is too small
_SIGNED = frozenset({"length", "turn", "norm", "matrix-length", "matrix-norm", "rank"})
#: kinds of which an architecture can have several, not all of which need be surprising
_MANY = frozenset(kind for kind in KINDS if not kind.startswith("head-")) - {"length", "turn", "norm", "spread"}
#: surprises up to the first are no evidence, those beyond the second no more than there
_SMALL, _LARGE = 1.0, 8.0


def _names() -> Iterator[tuple[str, str, int, bool]]:
    for kind in KINDS:
        for sign, mark in ((1, "+"), (-1, "-")) if kind in _SIGNED else ((0, ""),):
            yield f"{kind}{mark}", kind, sign, False
            if kind in _MANY:
                yield f"{kind}{mark} max", kind, sign, True


#: every sign of drift: its name, the kind of figure, the side (0: both) and whether it is the largest of the tensors'
SIGNS: Sequence[tuple[str, str, int, bool]] = tuple(_names())


def signs(kinds: Sequence[str] | npt.NDArray[np.str_], surprises: Floats) -> Floats:
    """Signs [..., A] of ``surprises`` [..., F] in figures of these ``kinds`` [F]; NaN counts as no surprise."""
    known = np.clip(np.nan_to_num(surprises), -_LARGE, _LARGE)
    named = np.asarray(kinds)
    places = {kind: np.flatnonzero(named == kind) for kind in KINDS}
    found = []
    for _, kind, side, largest in SIGNS:
        values = known[..., places[kind]]
        if side:
            values = np.maximum(side * values, 0.0)
        if values.shape[-1] == 0 or (largest and values.shape[-1] == 1):
            found.append(np.zeros(known.shape[:-1]))
            continue
        size = np.abs(values).max(axis=-1) if largest else np.sqrt((values**2).mean(axis=-1))
        found.append(np.maximum(size - _SMALL, 0.0))
    return np.stack(found, axis=-1)


def strength(evidence: Floats) -> Floats:
    """One number [...] for signs [..., A]: log odds of a shift, up to a constant."""
    weights = np.array([WEIGHTS.get(name, 0.0) for name, *_ in SIGNS])
    found: Floats = evidence @ weights + BIAS
    return found


def score(strengths: float, *, siblings: bool) -> float:
    """-log10 of the share of healthy steps that look at least as strong: a line beyond their bulk."""
    start, slope = HEALTHY["siblings" if siblings else "alone"]
    return max(0.0, 0.3 + slope * (strengths - start))


def causes(evidence: Floats) -> Mapping[Cause, float]:
    """What may lie behind signs [A] of an abnormal step, with probabilities, the likeliest first."""
    logits = {}
    for cause, (bias, weights) in CAUSES.items():
        logits[cause] = bias + sum(
            weights.get(name, 0.0) * float(e) for (name, *_), e in zip(SIGNS, evidence, strict=True)
        )
    top = max(logits.values())
    odds = {cause: math.exp(value - top) for cause, value in logits.items()}
    ranked = sorted(odds.items(), key=lambda item: -item[1])
    whole = sum(odds.values())
    return MappingProxyType({cause: value / whole for cause, value in ranked})
