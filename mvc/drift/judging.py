"""Whether steps are normal for their lineage. Owns the judgement of a walk and the words for it.

Severities are the policy's. Limits are probabilities under normal training; there are no other thresholds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import numpy as np
import numpy.typing as npt

from mvc.drift.catalogue import RULES
from mvc.drift.evidence import CALLED, Cause, causes, score, signs, strength
from mvc.drift.findings import RuleFinding
from mvc.drift.forecasts import Siblings, surprises
from mvc.drift.probabilities import normal
from mvc.drift.walks import Floats, Layout

Places = npt.NDArray[np.intp]

#: points that must come before the one that is judged
HISTORY = 5
DEFAULT_LIMITS: Mapping[str, float] = MappingProxyType({})
#: rule → kinds of figures that it speaks for, and what they are called
_GROUPS: Mapping[str, tuple[str, frozenset[str]]] = MappingProxyType(
    {
        "MVC002": ("its length", frozenset({"length", "matrix-length"})),
        "MVC003": ("its turn", frozenset({"turn"})),
        "MVC005": ("how it spreads over layers", frozenset({"spread"})),
        "MVC006": ("the growth of norms", frozenset({"norm", "matrix-norm"})),
        "MVC007": ("the number of directions that it takes", frozenset({"rank"})),
        "MVC008": (
            "which units and inputs it moves",
            frozenset(
                f"{head}{kind}"
                for head in ("", "head-")
                for kind in (
                    *("rows", "columns", "row-sums", "least-row-sum", "largest-row-sum"),
                    *("vector-drift", "units", "least-unit", "largest-unit"),
                )
            ),
        ),
    }
)
_TOTAL, _RATE = "MVC004", "MVC011"
#: all rules that a walk is judged by
STEP_RULES = tuple(sorted((*_GROUPS, _TOTAL, _RATE)))


#: what a step cannot be judged without: checkpoints before it, tensors of it or of them, weights; or it is no step
Lacking = Literal["past", "tensors", "weights", "step"]


@dataclass(frozen=True)
class Judgement:
    """``score`` is -log10 of the probability of such a step in normal training: 3 means one healthy step in a thousand.

    None, with a ``reason``, where something is ``lacking`` to judge it. ``causes``: what may lie behind an abnormal
    step, with probabilities, the likeliest first; empty for a step that is none.
    """

    score: float | None
    findings: tuple[RuleFinding, ...] = ()
    reason: str = ""
    lacking: Lacking | None = None
    causes: Mapping[Cause, float] = field(default_factory=dict)


def judge_walk(
    layout: Layout,
    values: Floats,
    *,
    siblings: Siblings | None = None,
    start: int = 0,
    limits: Mapping[str, float] = DEFAULT_LIMITS,
) -> tuple[Judgement, ...]:
    """Judges each point of a walk of figures [T, F] (T + 1 points) from ``start`` on, each by those before it alone.

    ``siblings`` say what is normal for the architecture. ``limits``: rule → the probability from which it speaks, where
    that is not the catalogue's. They change no score.
    """
    first = max(start, HISTORY)
    points = range(first, len(values) + 1)
    silent = [too_early(point) for point in range(start, min(first, len(values) + 1))]
    if not points:
        return tuple(silent)
    surprising = surprises(values, layout.usual, siblings, start=first - 1)
    kinds = np.array([kind for kind, _ in layout.figures])
    evidence = signs(kinds, surprising)
    places = {rule: np.flatnonzero(np.isin(kinds, sorted(own))) for rule, (_, own) in _GROUPS.items()}
    found = [
        _judge(layout, places, values[point - 1], surprising[i], evidence[i], siblings is not None, limits)
        for i, point in enumerate(points)
    ]
    return (*silent, *found)


def too_early(point: int) -> Judgement:
    """Silence for a point that so many come before."""
    before = "no checkpoint" if point == 0 else "1 checkpoint" if point == 1 else f"{point} checkpoints"
    return Judgement(None, reason=f"{before} before it; {HISTORY} are needed", lacking="past")


def _judge(
    layout: Layout,
    places: Mapping[str, Places],
    figures: Floats,
    surprising: Floats,
    evidence: Floats,
    siblings: bool,
    limits: Mapping[str, float],
) -> Judgement:
    if not np.isfinite(figures[0]):
        return Judgement(0.0, reason="identical to the checkpoint before it")
    if not np.isfinite(surprising).any():
        return Judgement(None, reason="too few steps of this architecture to know what is normal", lacking="past")
    total = score(float(strength(evidence)), siblings=siblings)
    probability = 10.0**-total
    groups = {rule: _group(surprising, own) for rule, own in places.items()}
    findings = [
        _named(layout, rule, figures, surprising[place], place, chance, _limit(rule, limits))
        for rule, (place, chance) in groups.items()
        if chance < _limit(rule, limits)
    ]
    if probability >= _limit(_TOTAL, limits):
        return Judgement(total, tuple(findings))
    likely = causes(evidence)
    findings.insert(0, _abnormal(probability, groups, likely, _limit(_TOTAL, limits)))
    rate = likely.get("learning rate", 0.0)
    if rate >= _limit(_RATE, limits):
        message = f"the step is abnormal as one at another learning rate is ({_share(rate)} likely)"
        findings.append(RuleFinding(_RATE, message, rate, _limit(_RATE, limits), probability))
    return Judgement(total, tuple(findings), causes=likely)


def _limit(rule: str, limits: Mapping[str, float]) -> float:
    default = RULES[rule].limit
    return limits.get(rule, 0.0 if default is None else default)


def _group(surprising: Floats, places: Places) -> tuple[int, float]:
    """Place of the most surprising of these figures, and the probability of one at least as surprising among them."""
    known = places[np.isfinite(surprising[places])]
    if not len(known):
        return 0, 1.0
    place = int(known[np.abs(surprising[known]).argmax()])
    return place, min(1.0, 2 * len(known) * float(normal(-abs(surprising[place]))))


def _abnormal(
    probability: float,
    groups: Mapping[str, tuple[int, float]],
    likely: Mapping[Cause, float],
    limit: float,
) -> RuleFinding:
    telling = sorted((chance, rule) for rule, (_, chance) in groups.items() if chance < 0.01)
    what = ", ".join(_GROUPS[rule][0] for _, rule in telling[:3])
    (first, odds), (second, others) = list(likely.items())[:2]
    message = (
        f"such a step has a probability of {probability:.1g} in normal training"
        + (f"; most telling: {what}" if what else "")
        + f"; likely {CALLED[first]} ({_share(odds)}), else {CALLED[second]} ({_share(others)})"
    )
    return RuleFinding(_TOTAL, message, probability, limit, probability)


def _named(
    layout: Layout, rule: str, figures: Floats, surprise: float, place: int, chance: float, limit: float
) -> RuleFinding:
    kind, tensor = layout.figures[place]
    value = float(figures[place])
    where = " of this tensor" if tensor else ""
    more = surprise > 0
    match rule:
        case "MVC002":
            message, shown = f"the step{where} is {'longer' if more else 'shorter'} than its trend", math.exp(value)
        case "MVC003":
            shown = math.degrees(math.acos(math.tanh(value)))
            message = f"the step turns by {shown:.0f}°, {'less' if more else 'more'} than its trend"
        case "MVC005":
            message, shown = "the step spreads over layers as none of the last ones did", math.exp(value)
        case "MVC006":
            shown = math.tanh(value)
            side = "grow more, or shrink less," if more else "shrink more, or grow less,"
            message = f"the weights{where} {side} than their trend"
        case "MVC007":
            shown = math.exp(value)
            message = f"this tensor moves in {'more' if more else 'fewer'} directions, {shown:.3g}, than its trend"
        case _:
            message, shown = f"the step moves {_UNITS[kind.removeprefix('head-')]} as none of the last ones did", value
    return RuleFinding(rule, message, shown, limit, chance, tensor or None)


_UNITS = {
    "rows": "units",
    "columns": "inputs",
    "row-sums": "units",
    "least-row-sum": "some units one way",
    "largest-row-sum": "some units one way",
    "vector-drift": "all units one way",
    "units": "units",
    "least-unit": "some units one way",
    "largest-unit": "some units one way",
}


def _share(probability: float) -> str:
    return ">99 %" if probability > 0.99 else "<1 %" if probability < 0.01 else f"{100 * probability:.0f} %"
