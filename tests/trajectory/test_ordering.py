"""Seriation's search: what it believes a move changes is what the form says."""

from __future__ import annotations

import numpy as np
import pytest

from mvc.trajectory.ordering import (
    _changes,
    anti_robinson_cost,
    order_epochs,
    squared_distances,
    swap_margins,
)


@pytest.mark.parametrize(
    ("length", "first", "last", "band"), [(2, 0, 2, 1), (9, 0, 9, 8), (9, 1, 9, 3), (20, 4, 15, 8)]
)
def test_the_change_of_every_move_is_that_of_the_form(length: int, first: int, last: int, band: int) -> None:
    distances = np.sqrt(squared_distances(np.random.default_rng(length).normal(size=(length, 5))))
    moves, changes = _changes(length, first, last, band)
    here = np.arange(length)
    expected = anti_robinson_cost(distances, moves, band) - anti_robinson_cost(distances, here[None], band)
    assert changes.applied(distances) == pytest.approx(expected) if len(moves) else length == 2
    assert (np.sort(moves, axis=1) == here).all() and len(np.unique(moves, axis=0)) == len(moves)
    assert (moves[:, :first] == here[:first]).all() and (moves[:, last:] == here[last:]).all()


@pytest.mark.parametrize("length", [3, 12, 70])
def test_a_walk_is_put_in_order_wherever_its_points_stand(length: int) -> None:
    random = np.random.default_rng(length)
    walk = random.normal(size=(length, 400)).cumsum(axis=0)
    shuffled = random.permutation(length)
    places = shuffled[order_epochs(squared_distances(walk[shuffled]))]
    assert places.tolist() in (list(range(length)), list(range(length))[::-1])


@pytest.mark.parametrize(("n", "band"), [(2, 8), (3, 1), (5, 8), (9, 8), (10, 3), (30, 8)])
def test_a_swap_costs_what_the_form_grows_by(n: int, band: int) -> None:
    squares = squared_distances(np.random.default_rng(n).normal(size=(n, 7)).cumsum(axis=0))
    orders = np.tile(np.arange(n), (n, 1))
    for i in range(n - 1):
        orders[i + 1, [i, i + 1]] = i + 1, i
    cost = anti_robinson_cost(np.sqrt(squares), orders, min(band, n - 1))
    assert np.allclose(swap_margins(squares, band), cost[1:] - cost[0])
