"""Progress on a terminal's stderr, shown from the first moment; nothing at all anywhere else. Owns rich's bar."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape as no_markup
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from mvc.cli import environment
from mvc.cli.text import escape, fit

#: report(done, total, what): ``total`` is None while it is unknown
Report = Callable[[int, int | None, str], None]


@contextmanager
def progress(title: str) -> Iterator[Report]:
    """A bar that moves as the report function is called and spins in between; gone when the work is done."""
    if not sys.stderr.isatty():
        yield lambda done, total, what: None
        return
    console = Console(stderr=True, no_color=not environment.colour_wanted(), highlight=False)
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
    with bar:
        task = bar.add_task(no_markup(title), total=None)

        def report(done: int, total: int | None, what: str) -> None:
            text = f"{title}  {fit(escape(what), 28)}" if what else title
            bar.update(task, completed=done, total=total, description=no_markup(text))

        yield report
