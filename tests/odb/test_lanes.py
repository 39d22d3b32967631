"""Threads for tensors: answers in order, errors where they are asked for, and no more in flight than there is room."""

from __future__ import annotations

import threading
import time

import pytest

from mvc.odb import Lanes
from mvc.odb import lanes as module

LARGE = module.ROOM // 3


@pytest.fixture(params=[True, False], ids=["threads", "no threads"])
def lanes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Lanes:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2})
    return Lanes(threaded=request.param)


def test_answers_come_in_order(lanes: Lanes) -> None:
    def slow(item: int) -> int:
        time.sleep(0.01 if item % 2 == 0 else 0)
        return item

    with lanes:
        items = [(LARGE if item % 3 else 1, item) for item in range(20)]
        assert list(lanes.map(slow, items)) == list(range(20))
        assert [future.result() for future in [lanes.run(size, slow, item) for size, item in items]] == list(range(20))


def test_no_more_is_in_flight_than_there_is_room(lanes: Lanes) -> None:
    mutex = threading.Lock()
    held = most = 0

    def hold(size: int) -> None:
        nonlocal held, most
        with mutex:
            held += size
            most = max(most, held)
        time.sleep(0.005)
        with mutex:
            held -= size

    with lanes:
        for _ in range(12):
            lanes.run(LARGE, hold, LARGE)
        lanes.run(4 * module.ROOM, hold, 4 * module.ROOM).result()
        assert most == 4 * module.ROOM  # it went alone
        most = 0
        for _ in lanes.map(hold, [(LARGE, LARGE)] * 12):
            pass
    assert 0 < most <= module.ROOM


def test_an_error_is_raised_and_ends_it(lanes: Lanes) -> None:
    def fail(_: int) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), lanes:
        for _ in range(20):
            lanes.run(LARGE, fail, 1)
    with pytest.raises(ZeroDivisionError), Lanes() as others:
        list(others.map(fail, [(LARGE, 1)] * 5))
