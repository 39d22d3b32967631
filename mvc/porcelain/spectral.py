"""In how many directions the step to a checkpoint moved, beside the steps before it. Owns the reading of those steps.

Weights are read tensor by tensor, two of one tensor at a time, and each step is measured once for one History.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy.typing as npt

from mvc.drift import RuleFinding
from mvc.drift.spectral import FEWEST, WINDOW, judge_ranks
from mvc.geometry.effective import effective_rank, has_directions
from mvc.objects import Checkpoint, read_array
from mvc.porcelain.case import Case
from mvc.porcelain.reading import Model

#: values of the matrices that are read of each step: larger ones first, as many as there is room for
ROOM = 1 << 25
Point = tuple[Checkpoint, Model]


def directions(case: Case) -> Iterator[RuleFinding]:
    """MVC007 for a case; nothing where too few steps came before it or those are of another architecture."""
    past = case.past[-WINDOW - 1 :]
    if len(past) <= FEWEST:
        return
    history = case.history
    models = history.models(commit.id for commit in past)
    if any(model.architecture != case.model.architecture for model in models):
        return
    points = [(history.checkpoint(commit.id), model) for commit, model in zip(past, models, strict=True)]
    points.append((case.checkpoint, case.model))
    by_name = {name: _ranks(points, name, history.ranks) for name in _largest(case.model)}
    steps = [
        {name: rank for name, ranks in by_name.items() if (rank := ranks[i]) is not None} for i in range(len(past))
    ]
    # at any probability: the score counts it, and from which one it is a finding is for the policy to say
    yield from judge_ranks(steps, limit=1.0).findings


def _largest(model: Model) -> list[str]:
    """Names of the matrices that are looked at, largest first."""
    matrices = [name for name in model.signatures if has_directions(model.specs[name].shape)]
    chosen, room = [], ROOM
    for name in sorted(matrices, key=lambda name: (-model.specs[name].numel, name)):
        if model.specs[name].numel <= room:
            chosen.append(name)
            room -= model.specs[name].numel
    return chosen


def _ranks(points: Sequence[Point], name: str, known: dict[tuple[str, str], float | None]) -> list[float | None]:
    """Effective ranks of one tensor's changes along ``points``; ``known``: by the ids of both sides."""
    found: list[float | None] = []
    held: tuple[int, npt.NDArray[Any]] | None = None
    for i in range(1, len(points)):
        key = (points[i - 1][1].objects[name], points[i][1].objects[name])
        if key[0] != key[1] and key not in known:
            before = held[1] if held is not None and held[0] == i - 1 else read_array(points[i - 1][0], name)
            now = read_array(points[i][0], name)
            known[key] = effective_rank(before, now)
            held = (i, now)
        found.append(known.get(key))
    return found
