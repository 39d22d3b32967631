"""How long work says where it is, and what is kept of it where somebody stops it. Shows nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from mvc.errors import Interrupted

#: done, total (None while unknown), what
Report = Callable[[int, int | None, str], None]


def silent(done: int, total: int | None, what: str) -> None:
    """Reports to nobody."""


def counted(names: Sequence[str], progress: Report) -> Iterator[str]:
    """The names, each told as it is asked for."""
    for done, name in enumerate(names):
        progress(done, len(names), name)
        yield name


@contextmanager
def interruptible(kept: Callable[[], str]) -> Iterator[None]:
    """An interruption in here says what is ``kept``; within another such, the inner one knows best."""
    try:
        yield
    except Interrupted:
        raise
    except KeyboardInterrupt:
        raise Interrupted(kept()) from None
