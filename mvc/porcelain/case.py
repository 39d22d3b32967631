"""One checkpoint that is to be judged, with all that its judges may ask. Owns the view; judges nothing."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePath

from mvc.drift import RULES, StepProfile
from mvc.formats import open_checkpoint
from mvc.objects import Checkpoint, as_array, read_array
from mvc.porcelain.reading import History, Model, read_model
from mvc.porcelain.recasts import is_recast
from mvc.porcelain.results.logs import LogCommit, LogLineage
from mvc.porcelain.stepping import NO_STEPS


@dataclass(frozen=True)
class Case:
    """``commit`` is None for a file that nobody committed, whose place is what it would go on from.

    ``checkpoint``: its weights, each read when it is asked for. ``past``: what it is judged by, oldest first, itself
    not among them. ``lineage`` is the one that it stands in, or would. ``limits``: rule → limit, where the policy says
    another one than the catalogue. ``follows``: the commit that a file is said to follow, or would; ``named``: whether
    somebody said so. ``steps``: those that were measured for this case, by the contents of their ends.
    """

    history: History
    commit: str | None
    path: str | None
    checkpoint: Checkpoint
    model: Model
    past: tuple[LogCommit, ...]
    lineage: LogLineage | None
    limits: Mapping[str, float]
    follows: str | None = None
    named: bool = False
    steps: OrderedDict[tuple[str, str], StepProfile] = field(default_factory=OrderedDict)

    def limit(self, rule: str) -> float:
        """From where a rule speaks: the policy's word, else the catalogue's."""
        return self.limits.get(rule, RULES[rule].limit or 0.0)

    @cached_property
    def placed(self) -> LogCommit | None:
        """What the log says of it; None for a file."""
        return None if self.commit is None else self.history.placed(self.commit)

    @cached_property
    def no_step(self) -> bool:
        """Whether it is a copy or an average. Of a commit the log says so; a file may be one in another precision."""
        if self.placed is not None or not self.past or not self.model.signatures:
            return self.placed is not None and self.placed.relation in NO_STEPS
        names = sorted(self.model.signatures)
        models = {
            row.id: model
            for row, model in zip(self.past, self.past_models, strict=True)
            if model.architecture == self.model.architecture and model.signatures.keys() == self.model.signatures.keys()
        } | {"": self.model}
        own = {self.model.objects[name]: name for name in names}
        stored = self.history.workspace.repository.tensor
        return is_recast(
            "",
            {commit: [model.objects[name] for name in names] for commit, model in models.items()},
            {model.objects[name]: model.signatures[name] for model in models.values() for name in names},
            [self.checkpoint.specs[name].shape for name in names],
            lambda one: read_array(self.checkpoint, own[one]) if one in own else as_array(*stored(one)),
        )

    @cached_property
    def past_models(self) -> list[Model]:
        return self.history.models(commit.id for commit in self.past)


@contextmanager
def open_case(
    history: History, target: str | Path, limits: Mapping[str, float], against: str | None = None
) -> Iterator[Case]:
    """A commit by its id, or a file: judged after the commit ``against``; else where its weights are committed; else
    after the nearest lineage's tip.
    """
    if isinstance(target, Path):
        with open_checkpoint(target) as opened:
            model = read_model(opened)
            same = history.same(model) if against is None else None
            tip = against or _tip(history, model, same, target.name)
            place = same or tip
            past = () if place is None else history.own_past(place)[: None if same is None else -1]
            lineage = None if place is None else history.lineage(place)
            yield Case(history, None, str(target), opened, model, past, lineage, limits, tip, named=against is not None)
    else:
        placed = history.placed(target)
        yield Case(
            history,
            target,
            None if placed is None else placed.path,
            history.checkpoint(target),
            history.model(target),
            history.own_past(target)[:-1],
            history.lineage(target),
            limits,
        )


def _tip(history: History, model: Model, same: str | None, name: str) -> str | None:
    """The end of the lineage that a file would go on from, None for one that is where it was committed."""
    if same is None:
        tip = history.nearest_tip(model)
        return None if tip is None else tip.id
    placed, lineage = history.placed(same), history.lineage(same)
    if placed is None or lineage is None or PurePath(placed.path).name == name:
        return None
    return lineage.commits[-1].id
