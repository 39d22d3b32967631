"""The evidence for a fork point: free of units and of a tensor that the fork drew anew; right on noisy walks."""

from __future__ import annotations

import numpy as np
import pytest

from mvc.trajectory.departures import departure_odds, evidence
from mvc.trajectory.inference import lay_out

BLOCKS = lay_out([("body", (40, 20)), ("head", (10, 20))])
BODY = BLOCKS[0].stop


def _walk(seed: int, start: np.ndarray, drift: np.ndarray, length: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return start + np.cumsum(drift + rng.normal(size=(length, len(start))), axis=0)


def _fork(seed: int, at: int, *, head: bool = False) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    drift = rng.normal(size=BLOCKS[-1].stop) * 0.5
    host = _walk(seed + 1, 10 * rng.normal(size=len(drift)), drift, 14)
    start = host[at].copy()
    if head:
        start[BODY:] = 30 * rng.normal(size=len(start) - BODY)
    return host, _walk(seed + 2, start, drift, 3)


@pytest.mark.parametrize("head", [False, True])
@pytest.mark.parametrize("at", range(1, 12, 2))
def test_the_checkpoint_that_a_walk_left_is_the_likeliest(at: int, head: bool) -> None:
    host, branch = _fork(at, at, head=head)
    assert int(departure_odds(host, branch, BLOCKS).argmax()) == at


def test_evidence_has_no_units_and_no_origin() -> None:
    host, branch = _fork(0, 5)
    moved = evidence(1e-3 * host + 7, 1e-3 * branch + 7, BLOCKS)
    assert np.allclose(evidence(host, branch, BLOCKS), moved, atol=1e-4)


def test_checkpoints_that_did_not_move_give_finite_odds() -> None:
    host, branch = _fork(0, 5)
    for still in (np.repeat(host[:1], 5, axis=0), host[:2]):
        assert np.isfinite(departure_odds(still, np.repeat(still[-1:], 2, axis=0), BLOCKS)).all()
        assert np.isfinite(departure_odds(still, branch, BLOCKS)).all()
