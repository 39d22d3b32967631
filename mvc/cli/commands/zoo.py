"""`mvc zoo`: trains populations of small models to try mvc on. torch is imported only when one is trained."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

import click

from mvc.cli import output
from mvc.cli.listing import Entry, add_list
from mvc.cli.messages import hint
from mvc.cli.options import Session, data_option, json_option, pass_session
from mvc.cli.progress import progress
from mvc.cli.text import count, escape
from mvc.porcelain.results.zoos import ZooListResult, ZooTrainResult
from mvc.porcelain.zoo import list_cards


@click.group()
def command() -> None:
    """Train populations of small models, whose history is known, to try mvc on."""


def entries(result: ZooListResult) -> Iterator[Entry]:
    for card in result.cards:
        size = f"{count(card.seeds or 0, 'run')} × {count(card.epochs or 0, 'epoch')}" if card.seeds else ""
        yield card.name, size, card.about


add_list(command, list_cards, entries, about="List the populations that can be trained.", schema="zoo-list")


@command.command()
@click.argument("card")
@click.option("-o", "--output", "out", required=True, metavar="DIR", help="Where the checkpoints go; a new directory.")
@click.option("--seeds", type=int, metavar="N", help="How many runs.")
@click.option("--epochs", type=int, metavar="N", help="How many epochs each.")
@data_option
@click.option("--truth", metavar="FILE", help="Where the truth goes [default: DIR-truth.json].")
@click.option("--anonymous", is_flag=True, help="Give the files names that tell nothing.")
@json_option
@pass_session
def train(
    session: Session,
    card: str,
    out: str,
    seeds: int | None,
    epochs: int | None,
    data: str | None,
    truth: str | None,
    anonymous: bool,
    as_json: bool,
) -> None:
    """Train CARD and write its checkpoints to DIR. An interrupted training goes on where it stopped."""
    with progress("training") as report:
        # torch takes a second or two to import: after the bar is there
        population = importlib.import_module("mvc.porcelain.population")
        result: ZooTrainResult = population.train_card(
            card,
            session.path(out),
            seeds=seeds,
            epochs=epochs,
            data=None if data is None else session.path(data),
            truth=None if truth is None else session.path(truth),
            anonymous=anonymous,
            progress=report,
        )
    if as_json:
        output.emit_json(result, "zoo-train")
        return
    output.emit_lines(
        [
            f"{count(result.checkpoints, 'checkpoint')} of {count(result.runs, 'run')} in {escape(result.out)}",
            f"the truth is in {escape(result.truth)}",
        ]
    )
    hint(f"commit them with: mvc commit {escape(result.out)}")
