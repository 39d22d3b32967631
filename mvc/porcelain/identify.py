"""Which committed model a file is or comes from. Owns the order of the questions; commits nothing.

Same bytes of every weight: "same". Else the values are held against the nearest commits': a cast or pruned copy is one
by its values. Else it may be a weighted average of commits. Else the file is placed among the commits as if it were
one, and its neighbour there is the answer. Else it may be a copy whose hidden units were permuted, or none is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from mvc import trajectory
from mvc.formats import open_checkpoint
from mvc.geometry import transform
from mvc.objects import Checkpoint, ObjectId, read_array
from mvc.porcelain.copies import enough_left, permuted
from mvc.porcelain.mixtures import mixture_of
from mvc.porcelain.reading import History, Model, read_model, signature_distance
from mvc.porcelain.results import Identified, IdentifyResult, LogLineage, Match
from mvc.porcelain.workspace import Workspace

#: commits whose values are looked at, the nearest by signature first
_CANDIDATES = 3


def identify(workspace: Workspace, paths: Sequence[Path]) -> IdentifyResult:
    """A result for each path, in order. Raises FormatError for a file that cannot be read."""
    history = History(workspace)
    return IdentifyResult(tuple(_identify(workspace, history, path) for path in paths))


def _identify(workspace: Workspace, history: History, path: Path) -> Identified:
    with open_checkpoint(path) as opened:
        model = read_model(opened)
        alike = list(history.alike(model))
        commits = [commit.id for row in alike for commit in row.commits]
        if not commits:
            return Identified(str(path), None, None, None, "no committed model has this architecture")
        history.models(commits)
        near = sorted(commits, key=lambda commit: (signature_distance(history.model(commit), model), commit))
        matches = list(_copies(workspace, history, opened, model, near[:_CANDIDATES]))
        points = sorted(commit.id for row in alike for commit in row.commits if commit.relation != "copies")
        if not matches and (mixed := mixture_of(workspace, history, opened, str(path), model, points)) is not None:
            return mixed
        if not matches or matches[0].relation != "same":
            matches += _placed(history, model, alike)
        if not matches and (found := permuted(workspace, history, opened, model, sorted(commits))) is not None:
            matches = [found]
    if not matches:
        return Identified(str(path), None, None, None, "its weights are as far from every commit's as chance puts them")
    others = (match for match in matches[1:] if match.commit != matches[0].commit)
    return Identified(str(path), matches[0], next(others, None), None)


def _copies(
    workspace: Workspace, history: History, file: Checkpoint, model: Model, near: Iterable[str]
) -> Iterator[Match]:
    """Commits that have these weights, or that these weights were made of without training. The same ones first."""
    for commit in sorted(near, key=lambda commit: history.model(commit).objects != model.objects):
        row = history.lineage(commit)
        name = "" if row is None else row.name
        if history.model(commit).objects == model.objects:
            yield Match(commit, name, "same", None, 1.0)
            continue
        transforms = _compare(workspace.repository.checkpoint(ObjectId(commit)), file, sorted(model.signatures))
        if transforms:
            yield Match(commit, name, "copy", "+".join(sorted(transforms)), 1.0)


def _placed(history: History, model: Model, alike: Sequence[LogLineage]) -> Iterator[Match]:
    """The commit beside which inference puts the model, and the nearest one of another lineage."""
    names = {commit.id: row.name for row in alike for commit in row.commits if commit.relation != "copies"}
    keys = tuple(sorted(names))
    population = trajectory.Population(
        keys=keys,
        vectors=np.stack([known.vector for known in history.models(keys)]),
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


def _compare(a: Checkpoint, b: Checkpoint, names: Sequence[str]) -> set[str]:
    """What made b of a, over all tensors; empty where no transform explains it. Stops at the first that none does."""
    transforms: set[str] = set()
    for name in names:
        if a.object_id(name) == b.object_id(name):
            continue
        found = transform(read_array(a, name), read_array(b, name))
        if found is None:
            return set()
        transforms |= found
    return transforms if enough_left(read_array(b, name) for name in names) else set()
