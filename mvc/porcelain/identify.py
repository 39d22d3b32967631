"""Which committed model a file is or comes from. Owns the order of the questions; commits nothing.

Same bytes of every weight: "same". Else every tensor against the nearest commits': a cast or pruned copy is one by its
values, a descendant by a cosine that independent models do not reach. Otherwise none.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mvc.formats import open_checkpoint
from mvc.geometry import combine, compare_tensors
from mvc.objects import DTYPES, Checkpoint, ObjectId, read_array
from mvc.porcelain.reading import History, Model, read_model, signature_distance
from mvc.porcelain.results import Identified, IdentifyResult, Match
from mvc.porcelain.workspace import Workspace

#: commits that are looked at exactly, the nearest by signature first
_CANDIDATES = 3
#: standard deviations of independent models' cosine beyond which two models are kin; 6 is one in a billion
_KIN = 6.0


def identify(workspace: Workspace, paths: Sequence[Path]) -> IdentifyResult:
    """A result for each path, in order. Raises FormatError for a file that cannot be read."""
    history = History(workspace)
    return IdentifyResult(tuple(_identify(workspace, history, path) for path in paths))


def _identify(workspace: Workspace, history: History, path: Path) -> Identified:
    with open_checkpoint(path) as opened:
        model = read_model(opened)
        commits = [commit.id for row in history.alike(model) for commit in row.commits]
        if not commits:
            return Identified(str(path), None, None, None, "no committed model has this architecture")
        history.models(commits)
        near = sorted(commits, key=lambda commit: (signature_distance(history.model(commit), model), commit))
        matches = list(_matches(workspace, history, opened, model, near[:_CANDIDATES]))
    if not matches:
        return Identified(str(path), None, None, None, "its weights are as far from every commit's as chance puts them")
    matches.sort(key=lambda match: ({"same": 0, "copy": 1}.get(match.relation, 2), -match.confidence))
    return Identified(str(path), matches[0], matches[1] if len(matches) > 1 else None, None)


def _matches(
    workspace: Workspace, history: History, file: Checkpoint, model: Model, near: Iterable[str]
) -> Iterable[Match]:
    for commit in near:
        known = history.model(commit)
        row = history.lineage(commit)
        name = "" if row is None else row.name
        if known.objects == model.objects:
            yield Match(commit, name, "same", None, 1.0)
            continue
        stored = workspace.repository.checkpoint(ObjectId(commit))
        transforms, cosine, numel = _compare(stored, file, sorted(model.signatures))
        if transforms:
            yield Match(commit, name, "copy", "+".join(sorted(transforms)), 1.0)
            continue
        deviations = cosine * math.sqrt(numel)
        if deviations > _KIN:
            # two-sided tail of the null, and never quite certain: the null is an approximation
            yield Match(commit, name, "descends", None, min(0.999, 1 - math.erfc(deviations / math.sqrt(2))))


def _compare(a: Checkpoint, b: Checkpoint, names: Sequence[str]) -> tuple[set[str], float, int]:
    """What made b of a, tensor by tensor (empty where no transform explains it), their cosine and size."""
    transforms: set[str] = set()
    parts = []
    for name in names:
        x, y = read_array(a, name), read_array(b, name)
        parts.append(compare_tensors(x, y))
        if transforms == {"no"}:
            continue
        found = set() if a.object_id(name) == b.object_id(name) else _transform(x, y)
        transforms = {"no"} if found is None else transforms | found
    whole = combine(parts)
    return (set() if transforms == {"no"} else transforms), whole.cosine or 0.0, max(1, whole.numel)


def _transform(x: npt.NDArray[np.generic], y: npt.NDArray[np.generic]) -> set[str] | None:
    """How y was made of x: cast to its dtype, some values set to zero, or both. None: neither."""
    found = {"cast"} if x.dtype != y.dtype else set()
    narrow = x.astype(y.dtype).reshape(-1)
    # a copy may have been cast down and back up: then x, through the narrower dtype, is y
    candidates = [(found, narrow)]
    candidates += [
        ({"cast"}, x.astype(kind).astype(y.dtype).reshape(-1))
        for kind in (DTYPES["F16"].numpy, DTYPES["BF16"].numpy)
        if kind is not None and kind.itemsize < y.dtype.itemsize
    ]
    flat = y.reshape(-1)
    for names, values in candidates:
        equal = (flat == values) | ((flat != flat) & (values != values))
        if equal.all():
            return names
        if (equal | (flat == 0)).all():
            return names | {"pruned"}
    return None
