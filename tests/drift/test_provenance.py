"""Declared facts against weights: what is right is never doubted, what is surely wrong is named."""

from __future__ import annotations

import numpy as np
import pytest

from mvc.drift.provenance import POINTS, misplaced, nearer, runs_backwards, strangers
from mvc.testing.trajectories import Walk, synthetic_run
from mvc.trajectory import lay_out
from mvc.trajectory.ordering import squared_distances

SHAPES = (("a", (16, 12)), ("b", (12, 16)))


def run(seed: int, points: int = 20) -> np.ndarray:
    return synthetic_run(seed, Walk(points=points)).astype(np.float64)


@pytest.mark.parametrize("seed", range(6))
def test_right_orders_are_left_alone(seed: int) -> None:
    path = run(seed)
    assert misplaced(squared_distances(path), 1.0) == ()
    assert misplaced(squared_distances(path[::-1]), 1.0) == ()
    assert misplaced(squared_distances(path[8:]), 1.0) == ()


@pytest.mark.parametrize(("true", "declared"), [(3, 15), (15, 3), (1, 10), (17, 8)])
def test_a_wrong_place_is_found_alone_and_the_right_one_named(true: int, declared: int) -> None:
    path = run(1)
    order = [i for i in range(len(path)) if i != true]
    order.insert(declared, true)
    (found,) = misplaced(squared_distances(path[order]), 1.0)
    assert order[found.point] == true and found.gain > 1.0
    assert found.after is not None and found.before is not None
    assert {order[found.after], order[found.before]} == {true - 1, true + 1}
    assert misplaced(squared_distances(path[order]), 2 * found.gain) == ()


def test_two_that_were_exchanged_are_both_found() -> None:
    path = run(2)
    order = list(range(len(path)))
    order[4], order[14] = 14, 4
    assert {order[row.point] for row in misplaced(squared_distances(path[order]), 1.0)} == {4, 14}


def test_what_says_nothing_of_order_is_silence() -> None:
    rng = np.random.default_rng(0)
    assert misplaced(squared_distances(run(0)[: POINTS - 1][::-1]), 1.0) == ()
    assert misplaced(np.zeros((9, 9)), 1.0) == ()
    assert misplaced(squared_distances(rng.normal(size=(12, 400))), 1.0) == ()


def test_an_order_against_time_is_known_where_the_direction_is_sure() -> None:
    path = run(3)
    blocks = lay_out([("w", (path.shape[1] - 1,))])
    forward, backward = (runs_backwards(one, blocks, forked=False) for one in (path, path[::-1]))
    assert forward is None and backward is not None and backward >= 0.995
    assert runs_backwards(path[::-1][:3], blocks, forked=False) is None


def points(seed: int, n: int) -> np.ndarray:
    """A walk whose first point is large beside its steps, as signatures of two tensors."""
    rng = np.random.default_rng(seed)
    size = lay_out(SHAPES)[-1].stop
    return np.asarray(rng.normal(size=size) + 0.1 * np.cumsum(rng.normal(size=(n, size)), axis=0))


def test_kin_are_no_strangers_and_strangers_no_kin() -> None:
    one, other, blocks = points(0, 6), points(1, 6), lay_out(SHAPES)
    assert all(strangers(one[0], point, blocks) is None for point in one[1:])
    sigmas = strangers(other[0], one[0], blocks)
    assert sigmas is not None and abs(sigmas) < 6


def test_of_what_blew_up_nothing_is_said() -> None:
    one, other, blocks = points(0, 3), points(1, 3), lay_out(SHAPES)
    assert strangers(3 * other[0], one[0], blocks) is None
    assert strangers(0 * other[0], one[0], blocks) is None


def test_a_parent_is_nearer_than_what_it_came_from() -> None:
    path = points(0, 10)
    squares = ((path - path[6]) ** 2).sum(axis=1)
    assert nearer(squares, 5, range(5), 1.5) is None
    found = nearer(squares, 1, range(2, 6), 1.5)
    assert found is not None and found[0] == 5 and found[1] == pytest.approx(5, rel=0.3)
    assert nearer(squares, 1, (), 1.5) is None
    assert nearer(squares, 5, [6], 1.5) == (6, np.inf)
