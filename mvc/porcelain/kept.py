"""Figures of two commits' tensors from what the index keeps, so that large models need not be read to be compared.

Neighbours on a trajectory have the record of the step between them, whose figures are exact. All others have
signatures, which estimate (`mvc.geometry.estimate_tensors`); tensors that neither covers are left to be read.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from math import prod

from mvc.drift.profiles import StepProfile
from mvc.drift.tensorsteps import TensorStep
from mvc.geometry import TensorComparison, estimate_tensors, trainable
from mvc.index import ArchitectureRow, CommitRow, Reader, StepRow
from mvc.objects import Checkpoint, ObjectId
from mvc.porcelain.comparing import Figures
from mvc.porcelain.workspace import Workspace

#: values that are read all the same: those of small models are always exact (8 MB of float32)
READ = 1 << 21


def kept_figures(
    workspace: Workspace, a: tuple[ObjectId, Checkpoint], b: tuple[ObjectId, Checkpoint], pattern: str | None
) -> Figures | None:
    """Of the tensors that both commits have and whose names match; None where they are few enough to read."""
    (first, left), (second, right) = a, b
    points = trainable(right.specs)
    names = [
        name
        for name in trainable(left.specs).keys() & points.keys()
        if left.specs[name].shape == right.specs[name].shape and (pattern is None or fnmatchcase(name, pattern))
    ]
    if sum(prod(points[name].shape) for name in names) <= READ:
        return None
    found = workspace.look_up(lambda reader: _recorded(reader, first, second))
    if found is None:
        tensors = {side.object_id(name) for name in names for side in (left, right)}
        signatures = workspace.signatures(tensors)
        found = {}
        for name in names:
            x, y = signatures.get(left.object_id(name)), signatures.get(right.object_id(name))
            if x is not None and y is not None and not x.nonfinite and not y.nonfinite:
                found[name] = estimate_tensors(x, y)
    return found.get


def _recorded(reader: Reader, a: ObjectId, b: ObjectId) -> dict[str, TensorComparison] | None:
    """Figures of the step from one commit to the other, if it was measured; either may come first."""
    contents: dict[str, str] = dict(map(tuple, CommitRow.pick(reader, "id", "content", id=[a, b])))
    for before, now in ((a, b), (b, a)):
        for row in StepRow.find(reader, now=contents[now], before=contents[before]):
            architecture = ArchitectureRow.find(reader, id=row.architecture)[0]
            profile = StepProfile.unpack((name for name, _ in architecture.names), row.record)
            if profile is not None:
                return dict(_figures(profile, forward=now == b))
    return None


def _figures(profile: StepProfile, *, forward: bool) -> Iterator[tuple[str, TensorComparison]]:
    for name, step in profile.tensors.items():
        squares = (step.squared_before, step.squared_now)
        squared_a, squared_b = squares if forward else squares[::-1]
        yield (
            name,
            TensorComparison(
                numel=step.numel,
                squared_distance=step.squared_distance,
                squared_a=squared_a,
                squared_b=squared_b,
                inner=step.inner,
                max_abs=_largest(step),
                nonfinite=step.nonfinite,
                changed=step.changed,
            ),
        )


def _largest(step: TensorStep) -> float:
    """The largest change of a value."""
    return abs(float(step.changes[0, 2] - step.changes[0, 1])) if len(step.changes) else 0.0
