"""Progress on a terminal's stderr, for work that takes noticeably long; nothing at all anywhere else. Owns when.

Most commands answer at once: they are not to flicker, nor to import what draws. So a bar is shown by a thread, after a
while; it spins while nothing is reported.
"""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import click

from mvc.cli import environment
from mvc.porcelain.progress import Report, silent

#: seconds that pass before anything is shown
AFTER = 0.3


@contextmanager
def progress(title: str) -> Iterator[Report]:
    """Gives the function to report to: where somebody looks and wants to see it, it moves a bar."""
    if not _wanted():
        yield silent
        return
    shown = _Shown(title)
    try:
        yield shown.report
    finally:
        shown.end()


class _Shown:
    """One bar, from when it is there; before, the newest report is kept for it."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._mutex = threading.Lock()
        self._newest: tuple[int, int | None, str] | None = None
        self._bar: AbstractContextManager[Report] | None = None
        self._draw: Report = self._keep
        self._timer = threading.Timer(AFTER, self._show)
        self._timer.daemon = True
        self._timer.start()

    def report(self, done: int, total: int | None, what: str) -> None:
        self._draw(done, total, what)

    def end(self) -> None:
        self._timer.cancel()
        with self._mutex:
            bar, self._bar, self._title = self._bar, None, ""
        if bar is not None:
            bar.__exit__(None, None, None)

    def _keep(self, done: int, total: int | None, what: str) -> None:
        self._newest = done, total, what

    def _show(self) -> None:
        bars = importlib.import_module("mvc.cli.bars")  # not under the mutex: it takes a while
        with self._mutex:
            if not self._title:
                return  # it has ended
            self._bar = bars.bar(self._title)
            self._draw = self._bar.__enter__()
        if self._newest is not None:
            self._draw(*self._newest)


def _wanted() -> bool:
    context = click.get_current_context(silent=True)
    quiet = context is not None and (context.params.get("as_json") or getattr(context.find_root().obj, "quiet", False))
    return not quiet and sys.stderr.isatty() and environment.moves()
