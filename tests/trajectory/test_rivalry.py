"""Forks are doubted where points have their nearest relative in another lineage."""

from __future__ import annotations

import numpy as np

from mvc.trajectory.ordering import squared_distances
from mvc.trajectory.rivalry import fork_confidence, rivalry

HOST = tuple(range(8))
BRANCH = tuple(range(8, 12))
HOME = np.array([0] * 8 + [1] * 4)


def _points(aside: float) -> np.ndarray:
    host = np.stack([np.arange(8.0), np.zeros(8)], axis=1)
    branch = np.stack([np.arange(4.0, 8.0), np.full(4, aside)], axis=1)  # off point 3, beside points 4 … 7
    return squared_distances(np.concatenate([host, branch]))


def test_a_branch_that_keeps_away_has_no_rivals() -> None:
    assert rivalry(_points(3.0), HOME, BRANCH, HOST, 3) == (0.0, 0.0)


def test_a_branch_that_hugs_its_host_is_all_rivals() -> None:
    # of the host's points around the fork 1, 2 and 3 have none beside them, 4 to 6 have
    assert rivalry(_points(0.1), HOME, BRANCH, HOST, 3) == (1.0, 0.5)


def test_confidence_falls_with_rivals_and_rises_with_the_rule() -> None:
    assert fork_confidence(0.9, (0.0, 0.0)) > fork_confidence(0.9, (0.5, 0.0)) > fork_confidence(0.9, (0.5, 0.5))
    assert fork_confidence(0.9, (0.0, 0.0)) > fork_confidence(0.6, (0.0, 0.0))
    assert 0 < fork_confidence(0.0, (1.0, 1.0)) < fork_confidence(1.0, (0.0, 0.0)) < 1
