"""Whether a file is a committed model whose hidden units were put in another order or rescaled. Owns that search.

Distances say nothing of such a copy. Tensors that no unit moves along (a last layer's biases, embeddings) are held
against the commits' first: a copy has them but for a cast or rounding. Then the file's units are matched with those of
a few likely commits, its order is undone by the best matches, and it is held against the values of the commits nearest
to it then. Values decide: a copy is one exactly, or but for a cast, rounding or pruning. One that was changed otherwise
counts as a descendant if it is far beyond what strangers reach after matching. Refuses models without a permutation
spec, and those too large to match at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from mvc.geometry import Made, PermutationSpec, chance, derive, fit_scales, head_sizes, transform
from mvc.geometry.matching import Matching, apply, choose_heads, match_scaled, match_units, matched_null
from mvc.geometry.permutations import Floats
from mvc.objects import Checkpoint, ObjectId, TensorSpec, read_array
from mvc.porcelain.copies import CHECKED, explain, finite, joined, likely, lineage_of, needed
from mvc.porcelain.reading import History, Model
from mvc.porcelain.results import Match
from mvc.porcelain.workspace import Workspace

#: commits whose units are matched; lineages gone on with; commits of each whose values are compared
MATCHED, LINEAGES, COMMITS = 64, 3, 6
#: values of a model and units of a layer above which the search is not begun
LARGEST, WIDEST = 1 << 25, 4096
#: the share of the way from matched strangers to an equal model that a changed copy must have come
BEYOND = 0.9

Arrays = Mapping[str, npt.NDArray[Any]]


def symmetry(specs: Mapping[str, TensorSpec], names: Sequence[str]) -> PermutationSpec | None:
    """The spec of a model's trainable tensors, attention left in order; None where none is known or it is too large."""
    shapes = {name: spec.shape for name, spec in specs.items()}
    spec = derive(shapes)
    if spec is None and (sizes := head_sizes(shapes)):
        spec = derive(shapes, sizes[0])
    spec = None if spec is None else spec.among(names)
    values = sum(specs[name].numel for name in names)
    if spec is None or not spec.units or values > LARGEST or max(units.size for units in spec.units) > WIDEST:
        return None
    return spec


def permuted(
    workspace: Workspace,
    history: History,
    file: Checkpoint,
    model: Model,
    commits: Sequence[str],
    *,
    changed: bool = True,
) -> Match | None:
    """The commit that the file is a permuted or rescaled copy of, with the transforms; None where it is of none.

    ``changed``: also look for commits that it was trained on from. There must be commits.
    """
    names = sorted(model.signatures)
    plain = symmetry(model.specs, names)
    if plain is None:
        return None
    stored = {name: read_array(file, name) for name in names}
    if not finite(stored):
        return None
    search = _Search(workspace, history, model, stored)
    pool = search.fitting(file, commits)
    for scaled in (False, True) if any(units.scalable for units in plain.units) else (False,):
        for commit in search.nearest(pool, scaled):
            made = search.explained(commit, scaled, needed(len(commits)))
            if made is not None:
                return Match(commit, lineage_of(history, commit), "copy", joined(made), 1.0)
    return search.descendant(pool or commits) if changed else None


class _Search:
    """One file against commits."""

    def __init__(self, workspace: Workspace, history: History, model: Model, stored: Arrays) -> None:
        self.workspace, self.history, self.model, self.stored = workspace, history, model, stored
        self.file: dict[str, Floats] = {name: array.astype(np.float64) for name, array in stored.items()}
        self._specs: dict[str, PermutationSpec] = {}
        self._matchings: dict[tuple[str, bool], Matching] = {}

    @cached_property
    def _shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: spec.shape for name, spec in self.model.specs.items()}

    def arrays(self, commit: str) -> Arrays:
        checkpoint = self.workspace.repository.checkpoint(ObjectId(commit))
        return {name: read_array(checkpoint, name) for name in self.stored}

    def doubles(self, commit: str) -> dict[str, Floats]:
        return {name: np.nan_to_num(array.astype(np.float64)) for name, array in self.arrays(commit).items()}

    def fitting(self, file: Checkpoint, commits: Sequence[str]) -> list[str]:
        """Commits whose tensors that no unit moves along explain the file's; all, where there is no such tensor."""
        sizes = head_sizes(self._shapes)
        spec = derive(self._shapes, sizes[0] if sizes else None)
        moving = spec.tensors if spec else frozenset()
        still = [name for name in self.stored if name not in moving]
        if not still:
            return list(commits)
        ranked = likely(self.history, self.model, self.stored.__getitem__, commits, still)[:CHECKED]
        known = ((commit, self.workspace.repository.checkpoint(ObjectId(commit))) for commit in ranked)
        return [commit for commit, checkpoint in known if explain(checkpoint, file, still) is not None]

    def spec(self, commit: str) -> PermutationSpec:
        """The symmetry, with heads as wide as they seem to be if the file is a copy of this commit."""
        if commit not in self._specs:
            known = self.doubles(commit)
            spec = choose_heads(known, self.file, self._shapes) if head_sizes(self._shapes) else derive(self._shapes)
            self._specs[commit] = (spec or PermutationSpec(())).among(tuple(self.stored))
        return self._specs[commit]

    def matching(self, commit: str, scaled: bool) -> Matching:
        if (commit, scaled) not in self._matchings:
            match = match_scaled if scaled else match_units
            self._matchings[commit, scaled] = match(self.doubles(commit), self.file, self.spec(commit))
        return self._matchings[commit, scaled]

    def nearest(self, pool: Sequence[str], scaled: bool) -> list[str]:
        """The commits whose values to look at: those that the file is nearest to in the order of the best matches."""
        best: dict[str, tuple[float, str]] = {}
        for commit in self._representatives(pool):
            row = (self.matching(commit, scaled).cosine, commit)
            lineage = lineage_of(self.history, commit)
            best[lineage] = max(best.get(lineage, row), row)
        found: list[str] = []
        for _, start in sorted(best.values(), reverse=True)[:LINEAGES]:
            spec = self.spec(start)
            aligned: Arrays = apply(self.file, spec, self.matching(start, scaled))
            if scaled:
                aligned = fit_scales(aligned, self.doubles(start), spec)
            found += likely(self.history, self.model, aligned.__getitem__, pool)[:COMMITS]
        return list(dict.fromkeys(found))

    def explained(self, commit: str, scaled: bool, evidence: float) -> set[str] | None:
        """The transforms by which the file was made of the commit; None where they do not explain it."""
        spec, matching = self.spec(commit), self.matching(commit, scaled)
        found = self._made(commit, spec, matching, scaled)
        fits = sum(scaling.size for units in spec.units for scaling in units.scalings) if scaled else 0
        values = sum(array.size for array in self.stored.values())
        if found is None or found.evidence < evidence + chance((units.size for units in spec.units), fits, values):
            return None
        made = set(found.names) | ({"rescaled"} if scaled else set())
        if matching.steps:  # units that are all zero may have been moved for nothing
            still = self._made(commit, spec, Matching((), 0.0), scaled)
            made = made | {"permuted"} if still is None else (made - found.names) | still.names
        return made

    def _made(self, commit: str, spec: PermutationSpec, matching: Matching, scaled: bool) -> Made | None:
        known, ordered = self.arrays(commit), apply(self.stored, spec, matching)
        expected = fit_scales(self.doubles(commit), apply(self.file, spec, matching), spec) if scaled else known
        names: frozenset[str] = frozenset()
        evidence = 0.0
        for name, array in known.items():
            found = transform(expected[name], ordered[name], fitted=array.dtype if scaled else None)
            if found is None:
                return None
            names |= found.names
            evidence += found.evidence
        return Made(names, evidence)

    def descendant(self, commits: Sequence[str]) -> Match | None:
        """The commit that the file, permuted, was trained on from."""
        cosine, commit = max((self.matching(one, False).cosine, one) for one in self._representatives(commits))
        mean, _ = matched_null(self.doubles(commit), self.file, self.spec(commit))
        beyond = (cosine - mean) / (1 - mean)
        if beyond < BEYOND:
            return None
        return Match(commit, lineage_of(self.history, commit), "descends", "permuted", min(beyond, 0.99))

    def _representatives(self, commits: Sequence[str]) -> list[str]:
        """Few commits a lineage: its first, middle and last, and the one whose largest values are most like the file's.

        A tensor's largest value stays under permutation and pruning, and nearly under a cast or rounding.
        """
        by_lineage: dict[str, list[tuple[float, str]]] = {}
        mine = _largest(self.model)
        for commit, known in zip(commits, self.history.models(commits), strict=True):
            away = float(np.abs(np.log(_largest(known) / mine)).sum())
            by_lineage.setdefault(lineage_of(self.history, commit), []).append((away, commit))
        chosen: list[tuple[float, str]] = []
        for rows in by_lineage.values():
            chosen += {min(rows), rows[0], rows[len(rows) // 2], rows[-1]}
        return [commit for _, commit in sorted(chosen)[:MATCHED]]


def _largest(model: Model) -> npt.NDArray[np.float64]:
    tiny = 1e-12
    return np.array([model.signatures[name].max_abs + tiny for name in sorted(model.signatures)])
