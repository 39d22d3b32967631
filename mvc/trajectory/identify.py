"""Which known model an unknown one is, or comes from. Owns the comparison; "none" is an answer.

The unknown model is placed among the known ones by the same inference as any commit; a placement next to kin is a
match. A copy in another precision, or pruned, stays so near its source that no step of training explains it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from mvc.geometry import EXACT
from mvc.trajectory.inference import Declared, Population
from mvc.trajectory.lineages import infer

#: distance to the source, relative to its norm, below which a model is a copy of it: bfloat16 rounds by 2⁻⁹
ROUNDED = 2.0**-7


@dataclass(frozen=True)
class Identification:
    """``point`` indexes the population. ``runner_up`` is the nearest point of another lineage, if there is one."""

    point: int
    relation: Literal["same", "copy", "descends", "precedes"]
    transform: Literal["cast", "quantised", "pruned"] | None
    confidence: float
    distance: float
    runner_up: int | None = None


def identify(population: Population, vector: npt.NDArray[np.float32]) -> Identification | None:
    """What the model with signature ``vector`` [k] is among the population, None where it is kin of nothing in it."""
    known = population.vectors.astype(np.float64)
    if len(known) == 0:
        return None
    away = np.linalg.norm(known - vector.astype(np.float64), axis=1)
    nearest = int(away.argmin())
    norm = float(np.linalg.norm(known[nearest]))
    if away[nearest] == 0:
        return Identification(nearest, "same", None, 1.0, 0.0)
    transform = _transform(population, known[nearest], vector.astype(np.float64))
    if transform is not None or away[nearest] < ROUNDED * norm / 4:
        return Identification(nearest, "copy", transform, 0.99, float(away[nearest]))
    # a key that sorts last leaves the known points their indices
    extended = replace(
        population,
        keys=(*population.keys, "\U0010ffff"),
        vectors=np.concatenate([population.vectors, vector[None]]),
        declared=(*population.declared, Declared()),
        distance=None,
    )
    inference = infer(extended)
    me = len(known)
    place = inference.placements[me]
    members = inference.lineages[place.lineage].members
    if place.parent is not None:
        point, relation = place.parent, "descends"
    elif len(members) > 1:
        point, relation = members[1], "precedes"
    else:
        return None
    mine = set(members)
    others = [i for i in range(me) if i not in mine and i != point]
    rival = min(others, key=lambda i: float(away[i])) if others else None
    return Identification(
        point=point,
        relation="descends" if relation == "descends" else "precedes",
        transform=None,
        confidence=place.confidence,
        distance=float(away[point]),
        runner_up=rival,
    )


def _transform(
    population: Population, source: npt.NDArray[np.float64], copy: npt.NDArray[np.float64]
) -> Literal["cast", "quantised", "pruned"] | None:
    """How the copy was made from the source, read from the tensors that signatures keep exactly; None if it was not."""
    votes: dict[Literal["cast", "quantised", "pruned"], int] = {"cast": 0, "quantised": 0, "pruned": 0}
    seen = 0
    for block in population.blocks:
        if block.numel > EXACT or block.numel < 2:
            continue
        a, b = (_values(vector[block.start : block.stop], block.numel) for vector in (source, copy))
        scale = float(np.abs(a).max())
        if scale == 0:
            continue
        seen += block.numel
        tiny = 1e-5 * scale
        zeroed = (np.abs(b) < tiny) & (np.abs(a) > tiny)
        kept = np.abs(a - b) < tiny
        if zeroed.mean() > 0.1 and (zeroed | kept).all():
            votes["pruned"] += block.numel
        elif (np.abs(a - b) <= np.abs(a) * 2.0**-8 + tiny).all():
            votes["cast"] += block.numel
        elif (np.abs(a - b) <= scale / 127).all() and len(np.unique(np.round(b / tiny))) <= 256:
            votes["quantised"] += block.numel
    best = max(votes, key=lambda name: votes[name])
    return best if seen and votes[best] > 0.9 * seen else None


def _values(signature: npt.NDArray[np.float64], numel: int) -> npt.NDArray[np.float64]:
    values: npt.NDArray[np.float64] = signature[1:] + signature[0] / np.sqrt(numel)
    return values
