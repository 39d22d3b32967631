"""All that speaks against one checkpoint, from every source. Owns the list of sources and the one score.

A source is a function of a case that yields what it found; what a policy makes of that is not its business. A further
one is a line in SOURCES.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from mvc.drift import Judgement, RuleFinding, judge
from mvc.porcelain.case import Case
from mvc.porcelain.damage import integrity
from mvc.porcelain.flags import NOT_FINITE
from mvc.porcelain.optimiser import optimiser
from mvc.porcelain.provenance import parent_contradicts_lineage, step_contradicts_order
from mvc.porcelain.siblings import Siblings
from mvc.porcelain.spectral import directions

Source = Callable[[Case], Iterable[RuleFinding]]

#: scores are -log10 of a probability, and none is smaller than this
_LEAST = 1e-300


@dataclass(frozen=True)
class Evidence:
    """``score`` is -log10 of the least probability under normal training that anything here has.

    None, with a ``reason``, where the step could not be judged.
    """

    findings: tuple[RuleFinding, ...]
    score: float | None
    reason: str = ""


def gather(case: Case, siblings: Siblings) -> Evidence:
    """What every source finds in the weights as they lie, then what is said of the step that led to them."""
    found = [finding for source in SOURCES for finding in source(case)]
    judgement = _judge_step(case, siblings)
    score = judgement.score
    if score is not None:
        score = max([score, *(-math.log10(max(f.probability, _LEAST)) for f in found if f.probability is not None)])
    return Evidence((*found, *judgement.findings), score, judgement.reason)


def _judge_step(case: Case, siblings: Siblings) -> Judgement:
    vectors = [known.vector for known in case.past_models]
    if any(vector.size != case.model.vector.size for vector in vectors):
        return Judgement(None, (), "its trajectory has another architecture")
    path = np.stack([*vectors, case.model.vector])
    return judge(path, siblings=siblings.of(case.model, case.lineage), limits=case.limits)


def _not_finite(case: Case) -> Iterator[RuleFinding]:
    for name, signature in case.model.signatures.items():
        if signature.nonfinite:
            message = f"{signature.nonfinite:,} of {signature.numel:,} values are NaN or infinite"
            yield RuleFinding(NOT_FINITE, message, float(signature.nonfinite), 0.0, probability=0.0, tensor=name)


#: in the order in which their findings are shown
SOURCES: tuple[Source, ...] = (
    _not_finite,
    integrity,
    optimiser,
    directions,
    step_contradicts_order,
    parent_contradicts_lineage,
)
