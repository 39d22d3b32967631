"""The progress bar of a terminal. Owns rich, which only `progress` imports, and only where there is a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape as no_markup
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from mvc.cli import environment
from mvc.cli.text import escape, fit, width
from mvc.porcelain.progress import Report

#: columns of the bar, and of what stands beside it and the title
_BAR, _BESIDE = 24, 28
#: columns from which there is room for the bar
_WIDE = 72


class _Count(ProgressColumn):
    """How many of how many; how many, where nobody knows of how many; nothing, where nobody counts."""

    def render(self, task: Task) -> Text:
        if task.total is None:
            return Text(f"{int(task.completed)}" if task.completed else "", style="progress.download")
        return Text(f"{int(task.completed)}/{int(task.total)}", style="progress.download")


@contextmanager
def bar(title: str) -> Iterator[Report]:
    """A bar that moves as the report function is called and spins in between; gone when the work is done."""
    console = Console(stderr=True, no_color=not environment.colour_wanted(), highlight=False)
    columns = [SpinnerColumn(), TextColumn("{task.description}"), BarColumn(_BAR), _Count(), TimeRemainingColumn()]
    if console.width < _WIDE:
        del columns[2]
    with Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task(no_markup(title), total=None)

        def report(done: int, total: int | None, what: str) -> None:
            room = min(_BESIDE, console.width - width(title) - _BESIDE)
            text = f"{title}  {fit(escape(what), room)}" if what and room > 4 else title
            shown.update(task, completed=done, total=total, description=no_markup(text))

        yield report
