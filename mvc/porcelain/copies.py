"""Whether a file is a committed model that was changed without training: cast, quantised, pruned. Owns that check.

Signatures say which commits to look at, values decide: every value of every tensor must be explained. A copy that has
hardly any values left could have been made of any model, so what is left must also be more than chance explains.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mvc.geometry import EXACT, Made, signature_length, transform
from mvc.objects import Checkpoint, read_array
from mvc.porcelain.reading import History, Model, signature_distance
from mvc.porcelain.results.matches import Match

#: commits whose values are looked at, the likeliest first; most are refused by their smallest tensor
CHECKED = 32
#: how often chance may explain a model, as a logarithm
_CHANCE = math.log(1e-9)
#: transforms as they are named together
_ORDER = ("permuted", "rescaled", "cast", "quantised", "pruned")

Read = Callable[[str], npt.NDArray[Any]]


def copied(history: History, file: Checkpoint, model: Model, commits: Sequence[str]) -> Iterator[Match]:
    """Commits that have the file's weights, or that these were made of without training. The same ones first."""
    names = sorted(model.signatures)
    same = list(history.equal(model, commits))
    for commit in same:
        yield Match(commit, lineage_of(history, commit), "same", None, 1.0)
    ranked = likely(history, model, lambda name: read_array(file, name), [c for c in commits if c not in same])
    for commit in ranked[:CHECKED]:
        made = compare(history.checkpoint(commit), file, names)
        if made is not None and made.names and made.evidence > needed(len(commits)):
            yield Match(commit, lineage_of(history, commit), "copy", joined(made.names), 1.0)


def likely(history: History, model: Model, read: Read, commits: Sequence[str], names: Iterable[str] = ()) -> list[str]:
    """The commits in the order in which values speak for them, by signatures alone; of all tensors, or those named.

    Pruning takes values and leaves the others, so distance is taken over values that are not zero, as far as
    signatures hold values themselves. ``read`` gives the values to compare.
    """
    if not commits:
        return []
    known = np.stack([one.vector for one in history.points(commits)])
    wanted = frozenset(names) or frozenset(model.signatures)
    away, at = np.zeros(len(commits)), 0
    for name in sorted(model.signatures):
        numel = model.signatures[name].numel
        block = known[:, at : at + signature_length(numel)].astype(np.float64)
        at += signature_length(numel)
        if name not in wanted or numel > EXACT:
            continue
        values = np.nan_to_num(read(name).astype(np.float64).reshape(-1), posinf=0, neginf=0)
        kept = values != 0
        change = block[:, 1:][:, kept] + block[:, :1] / math.sqrt(numel) - values[kept]
        away += (change**2).sum(1) / ((values**2).sum() or 1.0)
    far = [signature_distance(one, model) for one in history.points(commits)]
    return [commit for _, _, commit in sorted(zip(away, far, commits, strict=True))]


def compare(a: Checkpoint, b: Checkpoint, names: Iterable[str]) -> Made | None:
    """How b was made of a, over the named tensors; None at the first, the smallest before, that nothing explains."""
    made: frozenset[str] = frozenset()
    evidence = 0.0
    for name in sorted(names, key=lambda one: (b.specs[one].numel, one)):
        found = transform(read_array(a, name), read_array(b, name))
        if found is None:
            return None
        made |= found.names
        evidence += found.evidence
    return Made(made, evidence)


def needed(commits: int) -> float:
    """The evidence, in nats, that a match must have where so many commits could match."""
    return math.log(max(commits, 1)) - _CHANCE


def joined(made: Iterable[str]) -> str:
    """Names of transforms as one."""
    return "+".join(sorted(made, key=_ORDER.index))


def lineage_of(history: History, commit: str) -> str:
    row = history.lineage(commit)
    return "" if row is None else row.name
