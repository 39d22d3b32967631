"""Whether a file is a committed model whose hidden units were put in another order or rescaled. Owns that search.

Distances say nothing of such a copy. Tensors that no unit moves along (a last layer's biases, embeddings) are held
against the commits' first: a copy has them but for a cast or rounding. Where the repository has an embedder, the
nearest commits in its latent space are looked at next. Then the file's units are matched with those of a few likely
commits, its order is undone by the best matches, and it is held against the values of the commits nearest
to it then. Values decide: a copy is one exactly, or but for a cast, rounding or pruning. One that was changed otherwise
counts as a descendant if it is far beyond what strangers reach after matching. Refuses models without a permutation
spec, and those too large to match at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from mvc.errors import FormatError, IntegrityError
from mvc.geometry import Made, PermutationSpec, derive, fit_scales, head_sizes
from mvc.geometry.explaining import explain
from mvc.geometry.matching import (
    Matching,
    apply,
    beyond_strangers,
    choose_heads,
    match_balanced,
    match_scaled,
    match_units,
)
from mvc.geometry.permutations import Floats
from mvc.objects import Checkpoint, TensorSpec, read_array
from mvc.porcelain.copies import CHECKED, compare, joined, likely, lineage_of, needed
from mvc.porcelain.latents import LatentSpace
from mvc.porcelain.points import Point
from mvc.porcelain.reading import History, Model
from mvc.porcelain.results.matches import Match

#: commits whose units are matched; lineages gone on with; commits of each whose values are compared
MATCHED, LINEAGES, COMMITS = 64, 3, 6
#: neighbours in a latent space whose values are looked at first
NEIGHBOURS = 8
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


class UnitSearch:
    """One file against commits of its architecture, of which there must be some. Each method may take a while."""

    def __init__(self, history: History, file: Checkpoint, model: Model, commits: Sequence[str]) -> None:
        self.history, self.model, self.commits, self._opened = history, model, commits, file
        self._last: tuple[str, Arrays] = "", {}
        self._specs: dict[str, PermutationSpec] = {}
        self._matchings: dict[tuple[str, bool], Matching] = {}

    @classmethod
    def of(cls, history: History, file: Checkpoint, model: Model, commits: Sequence[str]) -> UnitSearch | None:
        """The search; None where no symmetry is known, the model is too large or a value is not finite."""
        broken = any(signature.nonfinite for signature in model.signatures.values())
        if broken or symmetry(model.specs, sorted(model.signatures)) is None:
            return None
        return cls(history, file, model, commits)

    def copy(self) -> Match | None:
        """The commit that the file is a permuted or rescaled copy of, with the transforms."""
        # values decide, so a neighbour that explains them needs no further search: it is far the longest part
        for commit in self.neighbours[:NEIGHBOURS]:
            if (match := self._copied(commit, scaled=False)) is not None:
                return replace(match, evidence=self._evidence(commit))
        for scaled in (False, True):
            for commit in self.nearest(scaled):
                if (match := self._copied(commit, scaled)) is not None:
                    return match
        return None

    def _copied(self, commit: str, scaled: bool) -> Match | None:
        made = self.explained(commit, scaled)
        if made is None or made.evidence <= needed(len(self.commits)):
            return None
        return Match(commit, lineage_of(self.history, commit), "copy", joined(made.names), 1.0)

    @cached_property
    def neighbours(self) -> list[str]:
        """The nearest commits in the latent space of the repository's embedder, the nearest first; [] without one.

        Few commits are matched sooner than an embedder is loaded. One that cannot be used is as none: it only makes the
        search shorter.
        """
        space = self._space if len(self._pool) > MATCHED else None
        if space is None:
            return []
        try:
            places, own = space.places(self.commits), space.place(self._opened)
        except (FormatError, IntegrityError) as error:
            self.history.workspace.warn(f"an embedder could not be used: {error.message}")
            return []
        away = np.linalg.norm(places - own, axis=1)
        return [self.commits[i] for i in np.argsort(away, kind="stable")[:MATCHED]]

    @cached_property
    def _space(self) -> LatentSpace | None:
        return LatentSpace.of(self.history.workspace, self.model.architecture)

    def _evidence(self, commit: str) -> Mapping[str, Any]:
        """Of a commit that was looked at as it is a neighbour."""
        name = "" if self._space is None else self._space.kept.name
        return {"embedder": name, "neighbour": self.neighbours.index(commit) + 1}

    @cached_property
    def stored(self) -> Arrays:
        return {name: read_array(self._opened, name) for name in self.model.signatures}

    @cached_property
    def file(self) -> dict[str, Floats]:
        return {name: array.astype(np.float64) for name, array in self.stored.items()}

    @cached_property
    def _shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: spec.shape for name, spec in self.model.specs.items()}

    def arrays(self, commit: str) -> Arrays:
        if self._last[0] != commit:
            checkpoint = self.history.checkpoint(commit)
            self._last = commit, {name: read_array(checkpoint, name) for name in self.model.signatures}
        return self._last[1]

    def doubles(self, commit: str) -> dict[str, Floats]:
        return {name: np.nan_to_num(array.astype(np.float64)) for name, array in self.arrays(commit).items()}

    @cached_property
    def _pool(self) -> list[str]:
        """Commits whose tensors that no unit moves along explain the file's; all, where there is no such tensor."""
        sizes = head_sizes(self._shapes)
        spec = derive(self._shapes, sizes[0] if sizes else None)
        moving = spec.tensors if spec else frozenset()
        still = [name for name in self.model.signatures if name not in moving]
        if not still:
            return list(self.commits)
        ranked = likely(self.history, self.model, lambda name: read_array(self._opened, name), self.commits, still)
        near = ((commit, self.history.checkpoint(commit)) for commit in ranked[:CHECKED])
        return [commit for commit, known in near if compare(known, self._opened, still) is not None]

    def spec(self, commit: str) -> PermutationSpec:
        """The symmetry, with heads as wide as they seem to be if the file is a copy of this commit."""
        if commit not in self._specs:
            known = self.doubles(commit)
            spec = choose_heads(known, self.file, self._shapes) if head_sizes(self._shapes) else derive(self._shapes)
            self._specs[commit] = (spec or PermutationSpec(())).among(tuple(self.model.signatures))
        return self._specs[commit]

    def matching(self, commit: str, scaled: bool) -> Matching:
        """The matching by which commits are ranked."""
        if (commit, scaled) not in self._matchings:
            match = match_balanced if scaled else match_units
            self._matchings[commit, scaled] = match(self.doubles(commit), self.file, self.spec(commit))
        return self._matchings[commit, scaled]

    def nearest(self, scaled: bool) -> list[str]:
        """The commits whose values to look at: those that the file is nearest to in the order of the best matches."""
        pool = [one for one in self._pool if not scaled or any(units.scalable for units in self.spec(one).units)]
        if len(pool) <= COMMITS:
            return pool
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

    def explained(self, commit: str, scaled: bool) -> Made | None:
        """How the file was made of the commit; None where that does not explain it."""
        spec = self.spec(commit)
        matching = match_scaled(self.doubles(commit), self.file, spec) if scaled else self.matching(commit, False)
        return explain(self.arrays(commit), self.stored, spec, matching, scaled=scaled)

    def descendant(self) -> Match | None:
        """The commit that the file, permuted, was trained on from."""
        few = self._representatives(self._pool or self.commits)
        cosine, commit = max((self.matching(one, False).cosine, one) for one in {*few, *self.neighbours})
        if cosine < BEYOND:  # nothing can be beyond then
            return None
        beyond = beyond_strangers(self.doubles(commit), self.file, self.spec(commit), cosine)
        if beyond < BEYOND:
            return None
        evidence = {} if commit in few else self._evidence(commit)
        return Match(commit, lineage_of(self.history, commit), "descends", "permuted", min(beyond, 0.99), evidence)

    def _representatives(self, commits: Sequence[str]) -> list[str]:
        """Few commits a lineage: its first, middle and last, and the one whose largest values are most like the file's.

        A tensor's largest value stays under permutation and pruning, and nearly under a cast or rounding.
        """
        by_lineage: dict[str, list[tuple[float, str]]] = {}
        mine = _largest(self.model)
        for commit, known in zip(commits, self.history.points(commits), strict=True):
            away = float(np.abs(np.log(_largest(known) / mine)).sum())
            by_lineage.setdefault(lineage_of(self.history, commit), []).append((away, commit))
        chosen: list[tuple[float, str]] = []
        for rows in by_lineage.values():
            chosen += {min(rows), rows[0], rows[len(rows) // 2], rows[-1]}
        return [commit for _, commit in sorted(chosen)[:MATCHED]]


def _largest(model: Model | Point) -> npt.NDArray[np.float64]:
    tiny = 1e-12
    return np.array([model.signatures[name].max_abs + tiny for name in sorted(model.signatures)])
