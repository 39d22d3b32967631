"""Whether one model's values are another's, put in order, rescaled, rounded or pruned. Owns that decision.

It rests on values, not on likeness: once units are matched, every value must be the source's but for the rounding of
the transforms that are named, and there must be more of them than chance and the freedom of matching explain. Strangers
may come as near as they like.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

from mvc.geometry.matching import Matching, apply
from mvc.geometry.permutations import Floats, PermutationSpec
from mvc.geometry.scales import fit_scales
from mvc.geometry.transforms import MOST, Made, transform

Arrays = Mapping[str, npt.NDArray[Any]]


def explain(known: Arrays, file: Arrays, spec: PermutationSpec, matching: Matching, *, scaled: bool) -> Made | None:
    """How ``file`` was made of ``known``, by its matching with it; None where that does not explain every value.

    The evidence is what is left after the matching's freedom is paid for: the log of the orders that it chose from and,
    as each fitted scale can meet one value by itself, the most that one value can say for each of them.
    """
    made = _made(known, file, spec, matching, scaled)
    if made is None:
        return None
    names = made.names | ({"rescaled"} if scaled else frozenset())
    if matching.steps:
        still = _made(known, file, spec, Matching((), 0.0), scaled)
        # units that are all zero may have been moved for nothing
        names = names | {"permuted"} if still is None else (names - made.names) | still.names
    return Made(names, made.evidence - freedom(spec, scaled=scaled))


def freedom(spec: PermutationSpec, *, scaled: bool) -> float:
    """What matching by this spec can feign, in nats."""
    orders = sum(math.lgamma(units.size + 1) for units in spec.units)
    scales = sum(scaling.size for units in spec.units for scaling in units.scalings)
    return orders + (scales * MOST if scaled else 0.0)


def _made(known: Arrays, file: Arrays, spec: PermutationSpec, matching: Matching, scaled: bool) -> Made | None:
    ordered = apply(file, spec, matching)
    expected = fit_scales(_doubles(known), _doubles(ordered), spec) if scaled else known
    names: frozenset[str] = frozenset()
    evidence = 0.0
    for name, array in sorted(known.items(), key=lambda one: (one[1].size, one[0])):
        found = transform(expected[name], ordered[name], fitted=array.dtype if scaled else None)
        if found is None:
            return None
        names |= found.names
        evidence += found.evidence
    return Made(names, evidence)


def _doubles(arrays: Arrays) -> dict[str, Floats]:
    return {name: array.astype("f8") for name, array in arrays.items()}
