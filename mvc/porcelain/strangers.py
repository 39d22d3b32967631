"""A file beside commits of other architectures, for `identify`. Owns the answer; `overlapping` owns the comparison."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mvc.index import Connection
from mvc.objects.adapters import is_adapter
from mvc.porcelain.overlapping import Common, Overlap, Side
from mvc.porcelain.overlaps import find_sides
from mvc.porcelain.reading import History, Model
from mvc.porcelain.results.matches import FileOverlap, Identified, Match
from mvc.trajectory.kinship import SIGMAS

_KEY = "file"
#: that two models are kin and not strangers, at the least that counts as kin
_KIN = math.erf(SIGMAS / math.sqrt(2))


def overlapping(history: History, path: str, model: Model) -> Identified | None:
    """The commit of another architecture that a file has most in common with, on what both share; None for none.

    Which of the two came first is not said.
    """
    found = history.workspace.read(lambda connection: _best(connection, model))
    if not found:
        if is_adapter(model.signatures):
            return Identified(path, None, None, None, "an adapter's own tensors do not say which model they change")
        return None
    best, commit, next_best, side = found[0]
    shapes, theirs = _shapes(model), side.shapes
    overlap = FileOverlap(
        tensors=best.tensors,
        shared=best.shared,
        coverage=best.coverage,
        identical=best.identical,
        cosine=best.cosine,
        sigmas=best.sigmas,
        added=tuple(sorted(shapes.keys() - theirs.keys())),
        removed=tuple(sorted(theirs.keys() - shapes.keys())),
        reshaped=tuple(sorted(name for name in shapes.keys() & theirs.keys() if shapes[name] != theirs[name])),
    )
    others = [next_best, *(commit for _, commit, _, _ in found[1:])]
    runner_up = next((_match(history, other) for other in others if other is not None), None)
    return Identified(path, _match(history, commit), runner_up, None, overlap=overlap)


def _match(history: History, commit: str) -> Match:
    row = history.lineage(commit)
    return Match(commit, "" if row is None else row.name, "overlaps", None, _KIN)


def _shapes(model: Model) -> dict[str, tuple[int, ...]]:
    return {name: tuple(model.specs[name].shape) for name in model.signatures}


def _best(connection: Connection, model: Model) -> list[tuple[Overlap, str, str | None, Side]]:
    """Overlaps with each other architecture that is kin, with the commits they are with, the most in common first."""
    names = sorted(model.signatures)

    def patterns(keys: Sequence[str], wanted: Sequence[str]) -> npt.NDArray[np.floating]:
        return np.concatenate([model.signatures[name].values for name in wanted])[None]

    own = Side(_shapes(model), [_KEY], [[0]], {_KEY: [model.objects[name] for name in names]}, patterns)
    found: list[tuple[Overlap, str, str | None, Side]] = []
    for side, commits in find_sides(connection, own.shapes):
        common = None if side.shapes == own.shapes else Common.of(own, side)
        overlap = None if common is None else common.overlap(0)
        if overlap is not None:
            next_best = None if overlap.runner_up is None else commits[overlap.runner_up]
            found.append((overlap, commits[overlap.other], next_best, side))
    found.sort(key=lambda item: (-item[0].common, item[1]))
    return found
