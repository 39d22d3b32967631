"""A few threads that tensors go through: hashing, coding and most of NumPy let others run meanwhile. Owns the bound on
what is in flight, so that memory is that of a few tensors however many there are.

Without threads every task runs at once, where it is asked for: what tests of faults need, whose order must not vary.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")
Arguments = ParamSpec("Arguments")

#: bytes in flight; a tensor that has more goes alone, while nobody reads the next one. Coding one holds five times its
#: bytes: its own, those of two bases, its stored form and what that is decoded to
ROOM = 1 << 24
#: bytes below which handing a task over takes longer than doing it
_SMALL = 1 << 15
#: more than these a disk does not feed
_MOST = 4


class Lanes:
    """As many threads as the machine has processors, but few; none unless ``threaded``. A context manager."""

    def __init__(self, *, threaded: bool = True) -> None:
        threads = min(_MOST, len(os.sched_getaffinity(0))) if threaded else 0
        self._pool = ThreadPoolExecutor(threads, "mvc-lane") if threads > 1 else None
        self._waiting: deque[tuple[Future[object], int]] = deque()
        self._held = 0

    def run(
        self, size: int, task: Callable[Arguments, Answer], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Future[Answer]:
        """Runs a task that holds ``size`` bytes, once there is room for it. Raises what an earlier one raised."""
        while self._waiting and (self._held + size > ROOM or self._waiting[0][0].done()):
            first, held = self._waiting.popleft()
            self._held -= held
            first.result()
        future = self._start(size, partial(task, *args, **kwargs))
        self._waiting.append((future, size))  # type: ignore[arg-type]
        self._held += size
        return future

    def _start(self, size: int, task: Callable[[], Answer]) -> Future[Answer]:
        if self._pool is not None and _SMALL <= size <= ROOM:
            return self._pool.submit(task)
        done: Future[Answer] = Future()
        done.set_result(task())
        return done

    def map(self, task: Callable[[Item], Answer], items: Iterable[tuple[int, Item]]) -> Iterator[Answer]:
        """Answers in order, of (size, item); the next ones are worked on meanwhile, as far as there is room."""
        ahead: deque[tuple[Future[Answer], int]] = deque()
        held = 0
        for size, item in items:
            while ahead and held + size > ROOM:
                held -= ahead[0][1]
                yield ahead.popleft()[0].result()
            ahead.append((self._start(size, partial(task, item)), size))
            del item  # it would be held while the next one is read
            held += size
        while ahead:
            yield ahead.popleft()[0].result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        self._waiting.clear()
