"""The progress bar of a terminal. Owns rich, which only `progress` imports, and only where there is a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape as no_markup
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from mvc.cli import environment
from mvc.cli.text import escape, fit
from mvc.porcelain.progress import Report


@contextmanager
def bar(title: str) -> Iterator[Report]:
    """A bar that moves as the report function is called and spins in between; gone when the work is done."""
    console = Console(stderr=True, no_color=not environment.colour_wanted(), highlight=False)
    shown = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
    with shown:
        task = shown.add_task(no_markup(title), total=None)

        def report(done: int, total: int | None, what: str) -> None:
            text = f"{title}  {fit(escape(what), 28)}" if what else title
            shown.update(task, completed=done, total=total, description=no_markup(text))

        yield report
