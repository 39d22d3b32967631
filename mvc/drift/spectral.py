"""Whether a step moves in as many directions as the lineage's steps do. Owns the judgement by effective ranks.

A class that is relabelled or poisoned, or an update that was added to the weights, moves a layer in few directions of
its own, though the step be no longer than others; another distribution of the inputs moves it in more. Both show in
the effective rank of each matrix's change (`mvc.geometry.effective`). Its logarithm is predicted and judged as the
step's length is, tensor by tensor, by the lineage's own last steps alone: measured with older steps, or with siblings'
beside them, it tells less. The tensors' probabilities are brought together by Cauchy's combination (Liu & Xie 2020),
which needs no independence: layers are trained together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mvc.drift.baseline import normal_scale, prediction_errors, tail_probability
from mvc.drift.catalogue import LIMIT
from mvc.drift.rules import RuleFinding
from mvc.drift.steps import Floats

#: steps that a step is judged by, at most and at least: three errors of earlier predictions must be known
WINDOW, FEWEST = 11, 6
#: prediction errors below this are never abnormal: 5 % of an effective rank
_FLOOR = 0.05
_LEAST = 1e-300

#: tensor → effective rank of one step's change; tensors that have none are left out
Ranks = Mapping[str, float]


@dataclass(frozen=True)
class SpectralJudgement:
    """``probability`` of such ranks under normal training, and by tensor in ``tensors``; None with a ``reason``."""

    probability: float | None
    tensors: Mapping[str, float] = field(default_factory=dict)
    findings: tuple[RuleFinding, ...] = ()
    reason: str = ""


def judge_ranks(steps: Sequence[Ranks], *, limit: float = LIMIT) -> SpectralJudgement:
    """Judges the last step of a trajectory by the WINDOW steps before it, each given by its tensors' effective ranks.

    One finding at most, which names the tensor that is the least like itself.
    """
    if len(steps) <= FEWEST:
        return SpectralJudgement(None, reason=f"{len(steps)} steps; {FEWEST + 1} are needed")
    errors: dict[str, float] = {}
    tensors: dict[str, float] = {}
    for name in steps[-1]:
        series = _series(steps[-WINDOW - 1 :], name)
        found = prediction_errors(series)
        scale = normal_scale(prediction_errors(series[:-1]), (0.0, 0.0), _FLOOR)
        if scale is not None and len(found) and np.isfinite(series[-3:]).all():
            errors[name] = float(found[-1])
            tensors[name] = tail_probability(errors[name], scale)
    if not tensors:
        return SpectralJudgement(None, reason="no matrix that is large enough changed in each of the last steps")
    probability = cauchy_combination(list(tensors.values()))
    if probability >= limit:
        return SpectralJudgement(probability, tensors)
    name = min(tensors, key=lambda key: (tensors[key], key))
    now = steps[-1][name]
    usual = now / math.exp(errors[name])
    message = f"the step moves this tensor in {now:.3g} directions where {usual:.3g} were to be expected"
    finding = RuleFinding("MVC007", message, now, usual, probability, name)
    return SpectralJudgement(probability, tensors, (finding,))


def cauchy_combination(probabilities: Sequence[float]) -> float:
    """One p-value of several that may depend on each other (Liu & Xie 2020)."""
    values = np.clip(np.asarray(probabilities, np.float64), _LEAST, 1 - 1e-15)
    # tan((1/2 - p) π) = 1 / tan(p π), which does not lose small p
    statistic = float(np.mean(1 / np.tan(values * math.pi)))
    return math.atan2(1.0, statistic) / math.pi


def _series(steps: Sequence[Ranks], name: str) -> Floats:
    """Logarithms of a tensor's ranks [steps], NaN where it has none."""
    return np.log([step.get(name, math.nan) for step in steps])
