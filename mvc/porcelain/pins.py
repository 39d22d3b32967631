"""Puts pinned points where the user says they belong. Owns where in its lineage such a point stands.

Inference does not see pinned points at all, so it is the same for the others wherever these are pinned to.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from mvc.objects import ObjectId
from mvc.trajectory import Declared, Inference, Lineage, Placement

Floats = npt.NDArray[np.floating]


def anchored(content: Mapping[ObjectId, str], pins: Mapping[ObjectId, ObjectId]) -> dict[str, str]:
    """Pinned content → content of its anchor, which is never pinned itself. Pins in a circle say nothing.

    ``content`` of every commit, ``pins`` from commit to commit.
    """
    direct = {
        content[commit]: content[anchor]
        for commit, anchor in sorted(pins.items(), reverse=True)
        if commit in content and anchor in content and content[commit] != content[anchor]
    }
    found = {}
    for key in direct:
        seen, at = {key}, direct[key]
        while at in direct and at not in seen:
            seen.add(at)
            at = direct[at]
        if at not in direct:
            found[key] = at
    return found


def insert_pinned(
    inference: Inference,
    free: Sequence[int],
    keys: Sequence[str],
    pins: Mapping[str, str],
    vectors: Floats,
    declared: Sequence[Declared],
) -> Inference:
    """The inference of the points ``free`` (indices into ``keys``), with the others put in by ``pins``: key → anchor.

    A point goes where the trajectory becomes least longer, or where its declared step puts it; never before a root.
    """
    lineages = [lineage.renumbered(free) for lineage in inference.lineages]
    placements = {free[place.point]: place.renumbered(free) for place in inference.placements}
    number = {key: i for i, key in enumerate(keys)}
    for key in sorted(pins):
        home = next(i for i, lineage in enumerate(lineages) if number[pins[key]] in lineage.members)
        members = list(lineages[home].members)
        members.insert(_best_place(members, number[key], vectors, declared), number[key])
        lineages[home] = replace(lineages[home], members=tuple(members))
        placements[number[key]] = Placement(
            number[key], home, 0, "extends", None, None, None, 1.0, {"pinned_to": pins[key]}
        )
    for lineage in lineages:
        if any(keys[point] in pins for point in lineage.members):
            placements |= _walked(lineage, lineages, placements, vectors)
    merges = tuple(merge.renumbered(free) for merge in inference.merges)
    return Inference(tuple(lineages), tuple(placements[i] for i in range(len(keys))), inference.warnings, merges)


def _best_place(members: Sequence[int], point: int, vectors: Floats, declared: Sequence[Declared]) -> int:
    """Index ≥ 1 at which the point goes in."""
    steps = [declared[i].step for i in members]
    own = declared[point].step
    if own is not None and None not in steps:
        return max(1, sum(step is not None and step <= own for step in steps))
    reach = [_distance(vectors, i, point) for i in members]
    gaps = [_distance(vectors, a, b) for a, b in pairwise(members)]
    longer = [reach[i] + reach[i + 1] - gap for i, gap in enumerate(gaps)] + [reach[-1]]
    return 1 + min(range(len(longer)), key=lambda i: (longer[i], i))


def _walked(
    lineage: Lineage, lineages: Sequence[Lineage], placements: Mapping[int, Placement], vectors: Floats
) -> dict[int, Placement]:
    """Placements of a lineage's members as it runs now."""
    found: dict[int, Placement] = {}
    before = {b: a for other in lineages for a, b in pairwise(other.members)}
    before |= {other.members[0]: other.fork.parent for other in lineages if other.fork is not None}
    for position, point in enumerate(lineage.members):
        place = placements[point]
        parent = before.get(point)
        angle = _angle(vectors, None if parent is None else before.get(parent), parent, point)
        distance = place.distance
        if parent != place.parent:
            distance = None if parent is None else _distance(vectors, parent, point)
        place = replace(place, parent=parent, distance=distance, turning_angle=angle)
        found[point] = replace(place, position=position)
    return found


def _distance(vectors: Floats, a: int, b: int) -> float:
    return float(np.linalg.norm(vectors[a].astype(np.float64) - vectors[b]))


def _angle(vectors: Floats, grand: int | None, parent: int | None, point: int) -> float | None:
    if grand is None or parent is None:
        return None
    step = vectors[point].astype(np.float64) - vectors[parent]
    last = vectors[parent].astype(np.float64) - vectors[grand]
    norms = float(np.linalg.norm(step) * np.linalg.norm(last))
    return math.degrees(math.acos(max(-1.0, min(1.0, float(step @ last) / norms)))) if norms > 0 else None
