"""In how many directions the step to a checkpoint moved, beside the steps before it. Owns where those ranks come from.

The index keeps them for the steps between commits. Others, as that to a file, are measured here, tensor by tensor, two
of one tensor at a time, and once for one History.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy.typing as npt
from sqlalchemy import Connection, select

from mvc.drift import RuleFinding
from mvc.drift.profiles import StepProfile
from mvc.drift.spectral import FEWEST, WINDOW, judge_ranks
from mvc.geometry.effective import effective_rank, has_directions
from mvc.index import CommitRow, StepRow
from mvc.objects import Checkpoint, ObjectId, read_array
from mvc.porcelain.case import Case
from mvc.porcelain.reading import Model

#: a tensor before and after a step → effective rank of the change
Known = dict[tuple[str, str], float | None]


def directions(case: Case) -> Iterator[RuleFinding]:
    """MVC007 for a case; nothing where too few steps came before it or those are of another architecture."""
    past = case.past[-WINDOW - 1 :]
    if len(past) <= FEWEST:
        return
    history = case.history
    models = history.models(commit.id for commit in past)
    if any(model.architecture != case.model.architecture for model in models):
        return
    commits = [*(commit.id for commit in past), *([] if case.commit is None else [case.commit])]
    models.append(case.model)
    history.ranks |= history.workspace.read(lambda connection: _kept(connection, commits, models))
    checkpoints = [*(history.checkpoint(commit.id) for commit in past), case.checkpoint]
    names = [name for name in case.model.signatures if has_directions(case.model.specs[name].shape)]
    by_name = {name: _ranks(checkpoints, models, name, history.ranks) for name in names}
    steps = [
        {name: rank for name, ranks in by_name.items() if (rank := ranks[i]) is not None} for i in range(len(past))
    ]
    # at any probability: the score counts it, and from which one it is a finding is for the policy to say
    yield from judge_ranks(steps, limit=1.0).findings


def _kept(connection: Connection, commits: Sequence[str], models: Sequence[Model]) -> Known:
    """What the index keeps of the steps between neighbours of these; ``models`` may go on beyond ``commits``."""
    columns = CommitRow.TABLE.c
    query = select(columns.id, columns.content).where(columns.id.in_(map(ObjectId, commits)))
    content = dict(map(tuple, connection.execute(query)))
    steps = {row.now: row for row in StepRow.select(connection, StepRow.TABLE.c.now.in_(content.values()))}
    known: Known = {}
    for (one, before), (other, now) in pairwise(zip(commits, models, strict=False)):
        row = steps.get(content[ObjectId(other)])
        if row is not None and row.before == content[ObjectId(one)]:
            step = StepProfile.unpack(sorted(now.signatures), row.record)
            for name, tensor in step.tensors.items() if step is not None else ():
                known[before.objects[name], now.objects[name]] = tensor.effective_rank or None
    return known


def _ranks(checkpoints: Sequence[Checkpoint], models: Sequence[Model], name: str, known: Known) -> list[float | None]:
    """Effective ranks of one tensor's changes from each of these models to the next."""
    found: list[float | None] = []
    held: tuple[int, npt.NDArray[Any]] | None = None
    for i, (before, now) in enumerate(pairwise(models)):
        key = (before.objects[name], now.objects[name])
        if key[0] != key[1] and key not in known:
            first = held[1] if held is not None and held[0] == i else read_array(checkpoints[i], name)
            held = (i + 1, read_array(checkpoints[i + 1], name))
            known[key] = effective_rank(first, held[1])
        found.append(known.get(key))
    return found
