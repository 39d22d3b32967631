"""`mvc paper`: runs published experiments again. torch is imported only when one is run."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import Any

import click

from mvc.cli import output
from mvc.cli.listing import Entry, add_list
from mvc.cli.messages import hint
from mvc.cli.options import Function, Session, data_option, json_option, pass_session
from mvc.cli.progress import progress
from mvc.cli.text import escape
from mvc.porcelain.paper import PaperListResult, list_papers


@click.group()
def command() -> None:
    """Run published experiments again and set mvc beside their printed numbers."""


def entries(result: PaperListResult) -> Iterator[Entry]:
    return ((paper.name, ", ".join(paper.zoos), paper.about) for paper in result.papers)


add_list(command, list_papers, entries, about="List the papers that can be run.", schema="paper-list")


class Size(click.ParamType[tuple[str, int]]):
    """N, or ZOO=N: the zoo, "" for all others, and the number."""

    name = "size"

    def __init__(self, least: int) -> None:
        self.number = click.IntRange(min=least)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        zoo, equals, number = str(value).rpartition("=")
        if equals and not zoo:
            self.fail(f"{value!r} names no zoo", param, ctx)
        return zoo, self.number(number, param, ctx)


def size_option(name: str, least: int, about: str) -> Callable[[Function], Function]:
    return click.option(f"--{name}", type=Size(least), multiple=True, metavar="[ZOO=]N", help=about)


@command.command()
@click.argument("paper")
@size_option("seeds", 1, "Runs in each zoo, or in ZOO; may be given again [default: as printed].")
@size_option("models", 3, "At most this many models of each zoo, or of ZOO; may be given again.")
@size_option("epochs", 2, "How many epochs each, or in ZOO; may be given again [default: as printed].")
@data_option
@click.option(
    "-o", "--output", "out", type=click.Path(), metavar="DIR", help="Where zoos and results go [default: PAPER]."
)
@click.option("--only", multiple=True, metavar="ZOO", help="Only this zoo of the paper; may be given again.")
@click.option("--table", "tables", multiple=True, metavar="N", help="Only this table of the paper; may be given again.")
@click.option("--row", "rows", multiple=True, metavar="LABEL", help="Only this row of tables; may be given again.")
@click.option("--repeats", type=click.IntRange(min=1), metavar="N", help="Splits and trainings of each cell.")
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    metavar="M",
    help="Most that a training takes, by the clock (E_cD in the paper's size: four times as many).",
)
@click.option(
    "--kept",
    is_flag=True,
    help="Train, measure and write nothing: print the rows that earlier runs kept in DIR, whatever --seeds, --models, "
    "--epochs, --repeats and --minutes they had.",
)
@click.option("--figures", is_flag=True, help="Draw the weight space as well (needs the extra: modelvc[papers]).")
@json_option
@pass_session
def run(session: Session, /, paper: str, out: str | None, data: str | None, as_json: bool, **asked: Any) -> None:
    """Train PAPER's zoos and measure them, as the paper did and as mvc does.

    An interrupted run goes on where it stopped. Tables that were measured in DIR before stay in its results.
    """
    where = paper if out is None else out
    own: dict[str, dict[str, int]] = {}
    for option in ("seeds", "models", "epochs"):
        sizes = dict(asked[option])
        asked[option] = sizes.pop("", None)
        for zoo, number in sizes.items():
            own.setdefault(zoo, {})[option] = number
    with progress("paper") as report:
        # torch takes a second or two to import: after the bar is there
        reproduction = importlib.import_module("mvc.porcelain.reproduction")
        wanted = reproduction.Asked(data=None if data is None else session.path(data), own=own, **asked)
        outcome = reproduction.reproduce(paper, session.path(where), wanted, progress=report)
    if as_json:
        output.emit_json(outcome, "paper")
        return
    output.emit_lines(escape(line) for line in reproduction.page(outcome).splitlines())
    if wanted.kept:
        return
    hint(f"results are in {escape(where)}: results.json, results.md{', figures' if wanted.figures else ''}")
