"""Whether a step is normal. Owns the judgement of one step by those before it.

Severities are the policy's. A limit is a probability under normal training; there are no other thresholds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from mvc.drift.baseline import combined_probability, normal_scale, pooled, prediction_errors, tail_probability
from mvc.drift.catalogue import LIMIT
from mvc.drift.steps import Floats, Steps, drift_steps

#: points that must come before the one that is judged
HISTORY = 5
#: prediction errors below these are never abnormal: 5 % of a length, .05 of a turn (Fisher's z)
_FLOORS = (0.05, 0.05)
#: no rule has another limit than the default one
DEFAULT_LIMITS: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True)
class RuleFinding:
    """``value`` and ``limit`` in the rule's own unit; ``probability`` under normal training, where one applies."""

    rule: str
    message: str
    value: float
    limit: float
    probability: float | None = None
    tensor: str | None = None


@dataclass(frozen=True)
class Judgement:
    """``score`` is -log10 of the combined probability under normal training: 3 means one healthy step in a thousand.

    None, with a ``reason``, where there is too little to judge by.
    """

    score: float | None
    findings: tuple[RuleFinding, ...]
    reason: str = ""


@dataclass(frozen=True)
class Normal:
    """Prediction errors of healthy trajectories of one architecture, by feature: what siblings teach."""

    lengths: tuple[Floats, ...] = ()
    turns: tuple[Floats, ...] = ()

    @classmethod
    def of(cls, paths: Iterable[npt.NDArray[np.floating]]) -> Normal:
        """Errors along whole trajectories of signatures, each [m, k]."""
        return cls.of_steps(drift_steps(path) for path in paths if len(path) > 2)

    @classmethod
    def of_steps(cls, walks: Iterable[Steps]) -> Normal:
        """Errors along whole trajectories, given their steps."""
        steps = list(walks)
        return cls(
            tuple(prediction_errors(row.log_lengths) for row in steps),
            tuple(prediction_errors(row.turns) for row in steps),
        )

    @cached_property
    def scales(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Both features' errors, pooled."""
        return pooled(self.lengths), pooled(self.turns)


def judge(
    path: npt.NDArray[np.floating], *, siblings: Normal | None = None, limits: Mapping[str, float] = DEFAULT_LIMITS
) -> Judgement:
    """Judges the last point of a trajectory of signatures [m, k], oldest first, by those before it.

    ``limits``: rule → the probability from which it speaks, where that is not LIMIT. They change no score.
    """
    return judge_all(path, siblings=siblings, start=len(path) - 1, limits=limits)[0]


def judge_all(
    path: npt.NDArray[np.floating],
    *,
    siblings: Normal | None = None,
    start: int = 0,
    limits: Mapping[str, float] = DEFAULT_LIMITS,
) -> tuple[Judgement, ...]:
    """Judges each point of a trajectory [m, k] from ``start`` on, each by those before it alone.

    ``siblings`` help while the trajectory is short.
    """
    return judge_steps(drift_steps(path), siblings=siblings, start=start, limits=limits)


def judge_steps(
    steps: Steps, *, siblings: Normal | None = None, start: int = 0, limits: Mapping[str, float] = DEFAULT_LIMITS
) -> tuple[Judgement, ...]:
    """As `judge_all`, given the features of the trajectory's steps."""
    normal = siblings or Normal()
    return tuple(_judge_point(steps, point, normal, limits) for point in range(start, len(steps.log_lengths) + 1))


def _judge_point(steps: Steps, point: int, normal: Normal, limits: Mapping[str, float]) -> Judgement:
    if point < HISTORY:
        before = "no checkpoint" if point == 0 else "1 checkpoint" if point == 1 else f"{point} checkpoints"
        return Judgement(None, (), f"{before} before it; {HISTORY} are needed")
    if not math.isfinite(steps.log_lengths[point - 1]):
        return Judgement(0.0, (), "identical to the checkpoint before it")
    probabilities, findings = [], []
    for rule, values, pool, floor in (
        ("MVC002", steps.log_lengths[:point], normal.scales[0], _FLOORS[0]),
        ("MVC003", steps.turns[: point - 1], normal.scales[1], _FLOORS[1]),
    ):
        errors = prediction_errors(values)
        scale = normal_scale(prediction_errors(values[:-1]), pool, floor)
        if scale is None or len(errors) == 0:
            continue
        error = float(errors[-1])
        probability = tail_probability(error, scale)
        probabilities.append(probability)
        if probability < limits.get(rule, LIMIT):
            findings.append(_finding(rule, values, error, probability))
    if not probabilities:
        return Judgement(None, (), "too few steps of this architecture to know what is normal")
    combined = combined_probability(probabilities)
    limit = limits.get("MVC004", LIMIT)
    if combined < limit:
        message = f"this step is abnormal: {combined:.1g} of healthy steps are as unlikely as this one"
        findings.append(RuleFinding("MVC004", message, combined, limit, combined))
    return Judgement(-math.log10(max(combined, 1e-300)), tuple(findings))


def _finding(rule: str, values: Floats, error: float, probability: float) -> RuleFinding:
    now, expected = float(values[-1]), float(values[-1] - error)
    if rule == "MVC002":
        ratio = math.exp(error)
        size = f"{ratio:.3g}× as long as" if ratio >= 1 else f"only {ratio:.2g} as long as"
        return RuleFinding(
            rule, f"the step is {size} its lineage's trend", math.exp(now), math.exp(expected), probability
        )
    angle, usual = (math.degrees(math.acos(math.tanh(value))) for value in (now, expected))
    return RuleFinding(
        rule, f"the step turns by {angle:.0f}° where {usual:.0f}° was to be expected", angle, usual, probability
    )
