"""`mvc zoo`: small models to try mvc on, trained here or published. torch is imported only to make or take them."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

import click

from mvc.cli import output
from mvc.cli.listing import Entry, add_list
from mvc.cli.messages import hint
from mvc.cli.opening import open_at
from mvc.cli.options import Function, Session, data_option, json_option, pass_session
from mvc.cli.progress import progress
from mvc.cli.text import count, escape
from mvc.porcelain.results.zoos import ZooListResult, ZooTrainResult
from mvc.porcelain.zoo import list_cards


@click.group()
def command() -> None:
    """Train populations of small models, whose history is known, or take in published ones, to try mvc on."""


def entries(result: ZooListResult) -> Iterator[Entry]:
    for card in result.cards:
        size = f"{count(card.models or 0, 'run')} × {count(card.epochs or 0, 'epoch')}" if card.models else ""
        yield card.name, size, card.about


add_list(command, list_cards, entries, about="List the populations that can be trained.", schema="zoo-list")


def truth_options(function: Function) -> Function:
    truth = click.option(
        "--truth",
        type=click.Path(),
        metavar="FILE",
        help="Where the truth about the files goes [default: DIR-truth.json].",
    )
    anonymous = click.option("--anonymous", is_flag=True, help="Give the files names that tell nothing.")
    return truth(anonymous(function))


@command.command()
@click.argument("card")
@click.option(
    "-o", "--output", "out", type=click.Path(), metavar="DIR", help="Write checkpoint files to DIR, a new directory."
)
@click.option("--population", type=click.Path(), metavar="DIR", help="Keep arrays of weights and facts in DIR.")
@click.option(
    "--into",
    type=click.Path(),
    metavar="REPO",
    help="Commit every checkpoint to a repository, with what is known of it.",
)
@click.option("--seeds", type=int, metavar="N", help="How many runs, of each combination of hyperparameters.")
@click.option("--epochs", type=int, metavar="N", help="How many epochs each.")
@click.option("--models", type=int, metavar="N", help="Take a random sample of N runs, always the same ones.")
@data_option
@truth_options
@json_option
@pass_session
def train(
    session: Session,
    card: str,
    out: str | None,
    population: str | None,
    into: str | None,
    seeds: int | None,
    epochs: int | None,
    models: int | None,
    data: str | None,
    truth: str | None,
    anonymous: bool,
    as_json: bool,
) -> None:
    """Train CARD into one or more of -o, --population and --into. An interrupted training goes on where it stopped."""

    def path(given: str | None) -> Path | None:
        return None if given is None else session.path(given)

    with progress("training") as report:
        # torch takes a second or two to import: after the bar is there
        porcelain = importlib.import_module("mvc.porcelain.population")
        result: ZooTrainResult = porcelain.train_card(
            card,
            path(out),
            population=path(population),
            into=None if into is None else open_at(session.path(into), session.directory),
            seeds=seeds,
            epochs=epochs,
            models=models,
            data=path(data),
            truth=path(truth),
            anonymous=anonymous,
            progress=report,
        )
    _emit(result, "zoo-train", as_json)


@command.command("import")
@click.argument("directory")
@click.option(
    "-o", "--output", "out", type=click.Path(), metavar="DIR", help="Write checkpoint files to DIR, a new directory."
)
@click.option(
    "--into",
    type=click.Path(),
    metavar="REPO",
    help="Commit every checkpoint to a repository, with what is known of it.",
)
@click.option("--models", type=int, metavar="N", help="Only the first N models.")
@truth_options
@json_option
@pass_session
def import_(
    session: Session,
    directory: str,
    out: str | None,
    into: str | None,
    models: int | None,
    truth: str | None,
    anonymous: bool,
    as_json: bool,
) -> None:
    """Take a published zoo into one or both of -o and --into.

    DIRECTORY is a zoo of Unterthiner et al. 2020 ("Small CNN Zoo"): weights.npy, metrics.csv.gz and layout.csv.
    """
    with progress("importing") as report:
        porcelain = importlib.import_module("mvc.porcelain.importing")
        result: ZooTrainResult = porcelain.import_zoo(
            session.path(directory),
            None if out is None else session.path(out),
            into=None if into is None else open_at(session.path(into), session.directory),
            models=models,
            truth=None if truth is None else session.path(truth),
            anonymous=anonymous,
            progress=report,
        )
    _emit(result, "zoo-import", as_json)


def _emit(result: ZooTrainResult, schema: str, as_json: bool) -> None:
    if as_json:
        output.emit_json(result, schema)
        return
    made = f"{count(result.checkpoints, 'checkpoint')} of {count(result.runs, 'run')}"
    if result.out is not None:
        output.emit_lines([f"{made} in {escape(result.out)}", f"the truth is in {escape(result.truth or '')}"])
        hint(f"commit them with: mvc commit {escape(result.out)}")
    if result.population is not None:
        output.emit_lines([f"arrays of {made} in {escape(result.population)}"])
    if result.repository is not None:
        output.emit_lines([f"{count(result.committed, 'new commit')} in {escape(result.repository)}, from {made}"])
        hint(f"see them with: mvc -C {escape(result.repository)} log")
