"""Averages put back among lineages leave a forest."""

from __future__ import annotations

import numpy as np
import pytest

from mvc.trajectory import Declared, Inference, Lineage, Placement, Population, lay_out
from mvc.trajectory.grafting import graft
from mvc.trajectory.inference import Direction, Fork, Merge

SURE = Direction(1.0, "weights")


@pytest.mark.parametrize(("source", "extended"), [(0, True), (3, False)])
def test_an_average_of_its_own_offspring_starts_no_circle(source: int, extended: bool) -> None:
    # points 0 … 3 on a line in three lineages, each off the one before; 4 is an average that lies before point 1
    places = np.array([0.0, 2.0, 3.0, 4.0, 1.0], dtype=np.float32)
    family = Population(tuple("abcde"), places[:, None], lay_out([("w", ())]), (Declared(),) * 5)
    lineages = (
        Lineage((0,), SURE),
        Lineage((1, 2), SURE, Fork(0, 1.0)),
        Lineage((3,), SURE, Fork(2, 1.0)),
    )
    placements = tuple(
        Placement(point, home, position, "extends", None, None, None, 1.0)
        for home, lineage in enumerate(lineages)
        for position, point in enumerate(lineage.members)
    )
    found = graft(family, range(4), Inference(lineages, placements), [Merge(4, (source, 0), (0.5, 0.5), 0.0, 1.0)])
    home = {point: number for number, lineage in enumerate(found.lineages) for point in lineage.members}
    for number in range(len(found.lineages)):
        way = [number]
        while (fork := found.lineages[way[-1]].fork) is not None:
            way.append(home[fork.parent])
            assert len(set(way)) == len(way), "lineages descend from each other"
    assert (found.lineages[home[1]].members == (4, 1, 2)) is extended
    assert len(found.placements) == 5 and all(place.lineage == home[place.point] for place in found.placements)
