"""Which committed model a file is or comes from. Owns the order of the questions; commits nothing.

Same bytes of every weight: "same". Else the values are held against the likeliest commits': a cast or pruned copy is
one by its values. Else it may be a weighted average of commits, or a copy whose hidden units were permuted or rescaled,
again by its values. Else the file is placed among the commits as if it were one, and its neighbour there is the answer.
Else it may have been trained on from a permuted copy, or share tensors with a commit of another architecture, or it
comes from none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from mvc import trajectory
from mvc.objects import Checkpoint
from mvc.porcelain.copies import copied
from mvc.porcelain.mixtures import mixture_of
from mvc.porcelain.permuted import UnitSearch, symmetry
from mvc.porcelain.progress import Report, silent
from mvc.porcelain.reading import History, Model, read_model
from mvc.porcelain.results.logs import LogLineage
from mvc.porcelain.results.matches import Identified, IdentifyResult, Match
from mvc.porcelain.sides import open_found
from mvc.porcelain.strangers import overlapping
from mvc.porcelain.workspace import Workspace


def identify(workspace: Workspace, paths: Sequence[Path], *, progress: Report = silent) -> IdentifyResult:
    """A result for each path, in order. Raises FormatError for a file that cannot be read."""
    history, found = History(workspace), []
    for done, path in enumerate(paths):

        def told(read: int, of: int | None, name: str, *, done: int = done, path: Path = path) -> None:
            """Of many files which one, of one its tensors."""
            progress(*((read, of, name) if len(paths) == 1 else (done, len(paths), path.name)))

        found.append(_identify(workspace, history, path, told))
    return IdentifyResult(tuple(found))


def _identify(workspace: Workspace, history: History, path: Path, progress: Report) -> Identified:
    with open_found(workspace, path) as side:
        opened = side.checkpoint
        model = read_model(opened, progress)
        progress(len(opened.specs), len(opened.specs), "among the commits")
        alike = list(history.alike(model))
        commits = sorted(commit.id for row in alike for commit in row.commits)
        if not commits:
            found = overlapping(history, str(path), model)
            return found or Identified(str(path), None, None, None, "no committed model has this architecture")
        history.points(commits)  # asked for once
        matches = list(copied(history, opened, model, commits))
        # averages of commits are no sources: theirs say as much
        rows = (commit for row in alike for commit in row.commits)
        points = sorted(commit.id for commit in rows if commit.relation != "copies" and not commit.mixture)
        if not matches and (mixed := mixture_of(workspace, history, opened, str(path), model, points)) is not None:
            return mixed
        if not matches:
            matches = list(_changed(history, opened, model, alike))
    if not matches:
        return overlapping(history, str(path), model) or Identified(str(path), None, None, None, _reason(model))
    others = (match for match in matches[1:] if match.commit != matches[0].commit)
    return Identified(str(path), matches[0], next(others, None), None)


def _changed(history: History, file: Checkpoint, model: Model, alike: Sequence[LogLineage]) -> Iterator[Match]:
    """What a file comes from that has no commit's values in their places."""
    commits = sorted(commit.id for row in alike for commit in row.commits)
    search = UnitSearch.of(history, file, model, commits)
    found = None if search is None else search.copy()
    if found is not None:
        yield found
        return
    placed = list(_placed(history, model, alike))
    yield from placed
    if not placed and search is not None and (found := search.descendant()) is not None:
        yield found


def _reason(model: Model) -> str:
    reason = "its weights are as far from every commit's as chance puts them"
    if symmetry(model.specs, sorted(model.signatures)) is None:
        reason += "; its units were not matched: no symmetry follows from its names and shapes, or it is too large"
    return reason


def _placed(history: History, model: Model, alike: Sequence[LogLineage]) -> Iterator[Match]:
    """The commit beside which inference puts the model, and the nearest one of another lineage."""
    names = {commit.id: row.name for row in alike for commit in row.commits if commit.relation != "copies"}
    keys = tuple(sorted(names))
    population = trajectory.Population(
        keys=keys,
        vectors=np.stack([known.vector for known in history.points(keys)]),
        blocks=model.blocks(),
        declared=(trajectory.Declared(),) * len(keys),
    )
    found = trajectory.identify(population, model.vector)
    if found is None:
        return
    relation = "descends" if found.relation == "same" else found.relation
    yield Match(keys[found.point], names[keys[found.point]], relation, None, found.confidence)
    if found.runner_up is not None:
        rest = 1 - found.confidence
        yield Match(keys[found.runner_up], names[keys[found.runner_up]], "descends", None, rest)
