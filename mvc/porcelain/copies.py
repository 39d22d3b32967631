"""Whether a file is a committed model whose hidden units were put in another order. Owns that search and its bounds.

Distances say nothing of such a copy, so its units are matched with those of one commit a lineage (at most LINEAGES, the
likeliest first), its order is undone by the best match, and it is held against the values of the COMMITS nearest to it
then. Values decide: a copy is one exactly, or but for a cast, rounding or pruning. One that was changed otherwise
counts as a descendant if it is far beyond what strangers reach after matching. Refuses models without a permutation
spec, and those too large to match at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mvc.geometry import PermutationSpec, close_transform, derive, sign_tensor
from mvc.geometry import transform as transform_of
from mvc.geometry.matching import apply, balance, match_units, matched_null, undo_scales
from mvc.objects import Checkpoint, ObjectId, read_array
from mvc.porcelain.reading import History, Model
from mvc.porcelain.results import Match
from mvc.porcelain.workspace import Workspace

#: lineages whose units are matched, and commits whose values are compared for each of two ways to match
LINEAGES, COMMITS = 64, 6
#: values of a model and units of a layer above which the search is not begun
LARGEST, WIDEST = 1 << 25, 4096
#: the share of the way from matched strangers to an equal model that a changed copy must have come
BEYOND = 0.9
#: the smallest share of values that pruning may leave
_LEFT = 0.02

Arrays = Mapping[str, npt.NDArray[np.floating[Any]]]


def permuted(
    workspace: Workspace, history: History, file: Checkpoint, model: Model, commits: Sequence[str]
) -> Match | None:
    """The commit that the file is a permuted copy of, with the transforms; None where it is of none of ``commits``."""
    names = sorted(model.signatures)
    spec = derive({name: model.specs[name].shape for name in names})
    values = sum(model.specs[name].numel for name in names)
    if spec is None or values > LARGEST or max(units.size for units in spec.units) > WIDEST:
        return None
    stored = {name: read_array(file, name) for name in names}
    if not all(np.isfinite(array).all() for array in stored.values()):
        return None
    search = _Search(workspace, history, spec, stored)
    starts = _representatives(history, model, commits)
    found: list[tuple[float, str]] = []
    for scaled in (False, True) if any(units.scalable for units in spec.units) else (False,):
        cosine, start = max((search.cosine(commit, scaled), commit) for commit in starts)
        near = search.nearest(commits, start, scaled)
        for commit in near:
            made = search.explained(commit, scaled)
            if made is not None:
                return Match(commit, _lineage(history, commit), "copy", "+".join(made), 1.0)
        if not scaled:
            found = [(search.cosine(commit, scaled), commit) for commit in near]
    cosine, commit = max(found)
    mean, _ = matched_null(search.doubles(commit), search.file, spec)
    beyond = (cosine - mean) / (1 - mean)
    if beyond < BEYOND:
        return None
    return Match(commit, _lineage(history, commit), "descends", "permuted", min(beyond, 0.99))


def enough_left(arrays: Iterable[npt.NDArray[Any]]) -> bool:
    """Whether a model has values enough that are not zero to be called pruned: zeros are made of any model."""
    counts = [(np.count_nonzero(array), array.size) for array in arrays]
    return bool(sum(kept for kept, _ in counts) >= _LEFT * sum(size for _, size in counts))


class _Search:
    """One file against commits, each of which is read once."""

    def __init__(self, workspace: Workspace, history: History, spec: PermutationSpec, stored: Arrays) -> None:
        self.workspace, self.history, self.spec, self.stored = workspace, history, spec, stored
        self.file = {name: array.astype(np.float64) for name, array in stored.items()}
        self._balanced = balance(self.file, spec)

    def arrays(self, commit: str) -> Arrays:
        checkpoint = self.workspace.repository.checkpoint(ObjectId(commit))
        return {name: read_array(checkpoint, name) for name in self.stored}

    def doubles(self, commit: str) -> Arrays:
        return {name: np.nan_to_num(array.astype(np.float64)) for name, array in self.arrays(commit).items()}

    def cosine(self, commit: str, scaled: bool) -> float:
        known = self.doubles(commit)
        if scaled:
            return match_units(balance(known, self.spec), self._balanced, self.spec).cosine
        return match_units(known, self.file, self.spec).cosine

    def _aligned(self, commit: str, scaled: bool) -> tuple[Arrays, Arrays]:
        """The file with its units in the commit's order, as stored, and with their scales undone where asked."""
        known = self.doubles(commit)
        if not scaled:
            ordered = apply(self.stored, self.spec, match_units(known, self.file, self.spec))
            return ordered, ordered
        matching = match_units(balance(known, self.spec), self._balanced, self.spec)
        undone = undo_scales(known, apply(self.file, self.spec, matching), self.spec)
        return apply(self.stored, self.spec, matching), undone

    def nearest(self, commits: Sequence[str], start: str, scaled: bool) -> list[str]:
        """The commits nearest by signature to the file in ``start``'s order."""
        aligned = self._aligned(start, scaled)[1]
        vector = np.concatenate([sign_tensor(aligned[name]).values for name in sorted(aligned)]).astype(np.float64)
        models = self.history.models(commits)
        away = [float(np.linalg.norm(known.vector - vector)) for known in models]
        return [commit for _, commit in sorted(zip(away, commits, strict=True))[:COMMITS]]

    def explained(self, commit: str, scaled: bool) -> list[str] | None:
        """Names of the transforms by which the file was made of the commit; None where they do not explain it."""
        known = self.arrays(commit)
        ordered, undone = self._aligned(commit, scaled)
        made = {"permuted"} if any((ordered[name] != self.stored[name]).any() for name in ordered) else set()
        made |= {"rescaled"} if scaled else set()
        for name, array in known.items():
            found = (
                close_transform(array.astype(np.float64), undone[name], ordered[name])
                if scaled
                else transform_of(array, ordered[name])
            )
            if found is None:
                return None
            made |= found
        if not enough_left(ordered.values()):
            return None
        order = ("permuted", "rescaled", "cast", "quantised", "pruned")
        return [name for name in order if name in made]


def _representatives(history: History, model: Model, commits: Sequence[str]) -> list[str]:
    """One commit a lineage: the one whose largest values are most like the model's.

    A tensor's largest value stays under permutation and pruning, and nearly under a cast or rounding.
    """
    best: dict[str, tuple[float, str]] = {}
    mine = _largest(model)
    for commit, known in zip(commits, history.models(commits), strict=True):
        row = (float(np.abs(np.log(_largest(known) / mine)).sum()), commit)
        lineage = _lineage(history, commit)
        best[lineage] = min(best.get(lineage, row), row)
    return [commit for _, commit in sorted(best.values())[:LINEAGES]]


def _largest(model: Model) -> npt.NDArray[np.float64]:
    tiny = 1e-12
    return np.array([model.signatures[name].max_abs + tiny for name in sorted(model.signatures)])


def _lineage(history: History, commit: str) -> str:
    row = history.lineage(commit)
    return "" if row is None else row.name
