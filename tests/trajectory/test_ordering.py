"""Seriation's search: what it believes a move changes is what the form says."""

from __future__ import annotations

import numpy as np
import pytest

from mvc.trajectory import ordering
from mvc.trajectory.ordering import anti_robinson_cost, order_epochs, squared_distances, swap_margins
from mvc.trajectory.rearranging import Changes, changes_of


@pytest.mark.parametrize(
    ("length", "first", "last", "band"), [(2, 0, 2, 1), (9, 0, 9, 8), (9, 1, 9, 3), (20, 4, 15, 8)]
)
def test_the_change_of_every_move_is_that_of_the_form(length: int, first: int, last: int, band: int) -> None:
    distances = np.sqrt(squared_distances(np.random.default_rng(length).normal(size=(length, 5))))
    changes = changes_of(length, first, last, band)
    here = np.arange(length)
    moves = np.array([changes.moved(i) for i in range(len(changes.moves))], dtype=np.intp).reshape(-1, length)
    expected = anti_robinson_cost(distances, moves, band) - anti_robinson_cost(distances, here[None], band)
    assert changes.applied(distances) == pytest.approx(expected) if len(moves) else length == 2
    assert (np.sort(moves, axis=1) == here).all() and len(np.unique(moves, axis=0)) == len(moves)
    assert (moves[:, :first] == here[:first]).all() and (moves[:, last:] == here[last:]).all()


@pytest.mark.parametrize(("length", "band"), [(2, 1), (5, 2), (9, 8)])
def test_every_reversal_and_every_move_of_a_few_is_tried_once(length: int, band: int) -> None:
    here = list(range(length))
    expected = {tuple(here[:i] + here[i:j][::-1] + here[j:]) for i in here for j in range(i + 2, length + 1)}
    for size in (1, 2, 3):
        for i in range(length - size + 1):
            block, rest = here[i : i + size], here[:i] + here[i + size :]
            for j in range(len(rest) + 1):
                expected |= {(*rest[:j], *turned, *rest[j:]) for turned in (block, block[::-1])}
    still = {tuple(here), tuple(here[::-1])}  # to turn all round changes nothing
    changes = changes_of(length, 0, length, band)
    found = [tuple(changes.moved(i).tolist()) for i in range(len(changes.moves))]
    assert len(set(found)) == len(found)
    assert set(found) == expected - still


def test_a_window_in_which_nothing_improves_is_searched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    walk = np.arange(140.0)[:, None]  # in order already
    asked: list[Changes] = []

    def counting(*where: int) -> Changes:
        asked.append(changes_of(*where))
        return asked[-1]

    monkeypatch.setattr(ordering, "changes_of", counting)
    assert order_epochs(squared_distances(walk), start=np.arange(140)).tolist() == list(range(140))
    assert len(asked) == 2 * 4  # windows of 56 places each 28 places on, for two bands


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
