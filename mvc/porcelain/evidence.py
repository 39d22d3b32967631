"""All that speaks against one checkpoint, from every source. Owns the list of sources and the one score.

A source is a function of a case that yields what it found; what a policy makes of that is not its business. A further
one is a line in SOURCES.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from mvc.drift import Cause, RuleFinding
from mvc.drift.catalogue import NOT_FINITE
from mvc.drift.judging import HISTORY, Judgement, Lacking, judge_walk, too_early
from mvc.errors import GoneError
from mvc.index import Reader
from mvc.porcelain.case import Case
from mvc.porcelain.damage import integrity
from mvc.porcelain.ground import stand
from mvc.porcelain.ledger import DAMAGE
from mvc.porcelain.optimiser import optimiser
from mvc.porcelain.provenance import parent_contradicts_lineage, step_contradicts_order
from mvc.porcelain.siblings import Teachers
from mvc.porcelain.walking import figures_of, layout_of, walk_to

Source = Callable[[Case], Iterable[RuleFinding]]

#: scores are -log10 of a probability, and none is smaller than this
_LEAST = 1e-300
#: rules that say by themselves what is wrong, and how sure that is
_WRONG, _DAMAGED = frozenset({"MVC009", "MVC010"}), frozenset({NOT_FINITE, *DAMAGE})
_SURE = 0.95


@dataclass(frozen=True)
class Evidence:
    """``score`` is -log10 of the least probability under normal training that anything here has.

    None, with a ``reason``, where the step could not be judged as something is ``lacking``. ``causes``, with
    probabilities, the likeliest first, where something is wrong.
    """

    findings: tuple[RuleFinding, ...]
    score: float | None
    reason: str = ""
    causes: tuple[tuple[Cause, float], ...] = ()
    lacking: Lacking | None = None


def gather(case: Case, teachers: Teachers) -> Evidence:
    """What every source finds in the weights as they lie, then what is said of the step that led to them."""
    found = [finding for source in SOURCES for finding in source(case)]
    judgement = _judge_step(case, teachers)
    causes = _likely(found, judgement)
    # what is damaged, or is another run's, makes an odd step: that says nothing more
    odd = () if _sure(found) else judgement.findings
    chances = [f.probability for f in (*found, *judgement.findings) if f.probability is not None]
    scores = [*([] if judgement.score is None else [judgement.score]), *(-math.log10(max(p, _LEAST)) for p in chances)]
    return Evidence((*found, *odd), max(scores, default=None), judgement.reason, causes, judgement.lacking)


def _judge_step(case: Case, teachers: Teachers) -> Judgement:
    if not case.model.signatures:
        return Judgement(None, reason="it has no trainable weights", lacking="weights")
    if case.no_step:
        return Judgement(None, reason="a copy or an average is no step of training", lacking="step")
    try:
        return case.history.workspace.look_up(lambda reader: _judge_walk(reader, case, teachers))
    except GoneError as error:
        return Judgement(None, reason=f"its step was not judged: {error.message}", lacking="tensors")


def _judge_walk(reader: Reader, case: Case, teachers: Teachers) -> Judgement:
    ground = stand(reader, case)
    if ground is None:
        return too_early(0)
    layout = layout_of(ground.architecture)
    row = teachers.walk(ground.architecture.id, case.lineage)
    if row is not None and ground.point.content in row.path:
        figures = figures_of(row, layout)[: row.path.index(ground.point.content)]
    else:
        past = [key for key in ground.past if ground.ledger.sound(key) == key]
        if len(past) < HISTORY:
            return too_early(len(past))
        figures = walk_to(reader, layout, ground.ledger, row, past, ground.point, case.model.vector)
    siblings = teachers.siblings(ground.architecture.id, case.lineage, layout)
    return judge_walk(layout, figures, siblings=siblings, start=len(figures), limits=case.limits)[0]


def _sure(found: Iterable[RuleFinding]) -> Cause | None:
    """The cause that a rule names by itself."""
    rules = {finding.rule for finding in found}
    return "wrong checkpoint" if rules & _WRONG else "corruption" if rules & _DAMAGED else None


def _likely(found: Iterable[RuleFinding], judgement: Judgement) -> tuple[tuple[Cause, float], ...]:
    """Causes by what was found: damage and strangers are sure, what is behind a step is weighed."""
    sure, weighed = _sure(found), judgement.causes.items()
    if sure is None:
        return tuple(weighed)
    others: Cause = "corruption" if sure == "wrong checkpoint" else "wrong checkpoint"
    left = 1 - _SURE
    rest = [(cause, left * chance) for cause, chance in weighed] or [(others, left)]
    return ((sure, _SURE), *rest)


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
    step_contradicts_order,
    parent_contradicts_lineage,
)
