"""Which known model an unknown one is, or comes from. Owns the comparison; "none" is an answer.

The unknown model is placed among the known ones by the same inference as any commit; a placement next to kin is a
match. Copies in another precision are recognised by their values, above, in porcelain.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from mvc.trajectory.inference import Declared, Population
from mvc.trajectory.lineages import infer


@dataclass(frozen=True)
class Identification:
    """``point`` indexes the population. ``runner_up`` is the nearest point of another lineage, if there is one."""

    point: int
    relation: Literal["same", "descends", "precedes"]
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
    if away[nearest] == 0:
        return Identification(nearest, "same", 1.0, 0.0)
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
        confidence=place.confidence,
        distance=float(away[point]),
        runner_up=rival,
    )
