"""Runs that stand apart in the log because their units were put in another order on the way. Owns that search.

Single linkage in the latent space of an invariant embedder says which lineages may belong together: a link runs from
the first commit of one to a near commit of another. Every link is then proved in weight space: the units are matched,
and must be more like an equal model then than like strangers made of the same weights. So the latent space
decides what is matched, where matching all pairs would take too long, and never what is kin. Changes nothing that is
inferred.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from mvc.geometry.matching import beyond_strangers, match_units
from mvc.geometry.permutations import Floats as Doubles
from mvc.objects import read_array
from mvc.porcelain.embedders import Floats, chosen_embedder
from mvc.porcelain.latents import LatentSpace
from mvc.porcelain.permuted import symmetry
from mvc.porcelain.progress import Report, silent
from mvc.porcelain.reading import History
from mvc.porcelain.results.embedders import EmbedKinResult, ShuffledLink, ShuffledRun
from mvc.porcelain.workspace import Workspace

#: near commits of other lineages that a lineage's first one is matched with
NEAREST = 4
#: the share of the way from matched strangers to an equal model beyond which two models are kin
BEYOND = 0.5
#: models whose values are held at once
_HELD = 256


def shuffled_runs(
    workspace: Workspace, *, embedder: str | None = None, progress: Report | None = None
) -> EmbedKinResult:
    """Lineages of the embedder's architecture that are one run but for the order of their units, by latent neighbours.

    Raises NotFoundError where there is no embedder, InputError where there are several and none is named.
    """
    history = History(workspace)
    space = LatentSpace(workspace, chosen_embedder(workspace, embedder))
    rows = [row for row in history.lineages if row.architecture == space.kept.architecture]
    commits = [commit.id for row in rows for commit in row.commits]
    homes = np.array([number for number, row in enumerate(rows) for _ in row.commits])
    if len(rows) < 2:
        return EmbedKinResult((), space.kept.name)
    model = history.model(commits[0])
    spec = symmetry(model.specs, sorted(model.signatures))
    if spec is None:
        return EmbedKinResult((), space.kept.name)

    @lru_cache(_HELD)
    def values(commit: str) -> dict[str, Doubles]:
        checkpoint = history.checkpoint(commit)
        return {name: np.nan_to_num(read_array(checkpoint, name).astype(np.float64)) for name in model.signatures}

    joined = list(range(len(rows)))

    def part(lineage: int) -> int:
        while joined[lineage] != lineage:
            lineage = joined[lineage]
        return lineage

    def join(a: int, b: int) -> None:
        joined[max(part(a), part(b))] = min(part(a), part(b))

    numbers = {row.name: number for number, row in enumerate(rows)}
    for number, row in enumerate(rows):  # what forks join is known already
        if row.forked_from is not None and row.forked_from.lineage in numbers:
            join(number, numbers[row.forked_from.lineage])
    links = []
    candidates = list(_candidates(space.places(commits, progress), homes))
    for done, (a, b) in enumerate(candidates):
        (progress or silent)(done, len(candidates), "matching")
        if part(homes[a]) == part(homes[b]):
            continue
        known, own = values(commits[b]), values(commits[a])
        cosine = match_units(known, own, spec).cosine
        beyond = beyond_strangers(known, own, spec, cosine)
        if beyond >= BEYOND:
            join(int(homes[a]), int(homes[b]))
            link = ShuffledLink(
                commits[a], _at(history, commits[a]), commits[b], _at(history, commits[b]), cosine, beyond
            )
            links.append((int(homes[a]), link))
    runs = _runs([row.name for row in rows], [part(number) for number in range(len(rows))], links)
    return EmbedKinResult(tuple(runs), space.kept.name)


def _at(history: History, commit: str) -> str:
    home, placed = history.lineage(commit), history.placed(commit)
    assert home is not None and placed is not None  # it came from the log
    return f"{home.name}@{placed.position}"


def _candidates(places: Floats, homes: npt.NDArray[np.intp]) -> Iterator[tuple[int, int]]:
    """Numbers of a lineage's first commit and of a near one of another lineage, the nearest pairs first."""
    first = np.flatnonzero(np.r_[True, homes[1:] != homes[:-1]])
    pairs = []
    for a in first:
        away = np.linalg.norm(places - places[a], axis=1)
        away[(homes == homes[a]) | np.isnan(away)] = np.inf
        near = np.argsort(away, kind="stable")[:NEAREST]
        pairs += [(float(away[b]), int(a), int(b)) for b in near if np.isfinite(away[b])]
    yield from ((a, b) for _, a, b in sorted(pairs))


def _runs(
    names: Sequence[str], parts: Sequence[int], links: Sequence[tuple[int, ShuffledLink]]
) -> Iterator[ShuffledRun]:
    for number in sorted(set(parts)):
        proofs = tuple(link for home, link in links if parts[home] == number)
        if proofs:
            yield ShuffledRun(tuple(name for name, part in zip(names, parts, strict=True) if part == number), proofs)
