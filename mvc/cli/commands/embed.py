"""`mvc embed`: models that read weights, trained on a repository's own lineages. torch is imported only to use one."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping

import click

from mvc.cli import completing, output
from mvc.cli.messages import hint, note, paint, warn
from mvc.cli.opening import open_workspace
from mvc.cli.options import Session, json_option, pass_session
from mvc.cli.progress import progress
from mvc.cli.text import count, escape, number, pad, short, size, width
from mvc.porcelain.results.embedders import (
    EmbedApplyResult,
    EmbedderRow,
    EmbedKinResult,
    EmbedListResult,
    EmbedTrainResult,
    ShuffledRun,
)

#: coordinates of a latent that are printed before the rest is counted
SHOWN = 6


@click.group()
def command() -> None:
    """Train a model to read weights, and say where checkpoints lie in its latent space."""


@command.command("list")
@click.argument("name", required=False)
@json_option
@pass_session
def list_(session: Session, name: str | None, as_json: bool) -> None:
    """List the embedders that were trained here, or the embedder NAME alone; its JSON has the commits that it learnt
    from."""
    verbs = importlib.import_module("mvc.porcelain.embed")
    result: EmbedListResult = verbs.list_embedders(open_workspace(session), name)
    if as_json:
        output.emit_json(result, "embed-list")
        return
    output.emit_lines(line for row in result.embedders for line in _lines(row))
    if not result.embedders:
        hint("train one with: mvc embed train")


@command.command()
@click.argument("name")
@json_option
@pass_session
def remove(session: Session, name: str, as_json: bool) -> None:
    """Take the embedder NAME out of use, as listed: ARCHITECTURE@VERSION."""
    verbs = importlib.import_module("mvc.porcelain.embed")
    result: EmbedListResult = verbs.remove(open_workspace(session), name)
    if as_json:
        output.emit_json(result, "embed-list")
    else:
        output.emit_lines(f"removed {escape(row.name)}" for row in result.embedders)


@command.command()
@click.option(
    "--from",
    "lineages",
    multiple=True,
    metavar="LINEAGE",
    help="Learn from this lineage (repeat) [default: all].",
    shell_complete=completing.lineages,
)
@click.option("--card", metavar="RECIPE", help="Hyperparameters to train with.")
@click.option("--minutes", type=float, metavar="N", help="Train no longer than this [default: the recipe's epochs].")
@json_option
@pass_session
def train(session: Session, lineages: tuple[str, ...], card: str | None, minutes: float | None, as_json: bool) -> None:
    """Train an embedder on the lineages of one architecture, and keep it. An interrupted training goes on where it
    stopped when the same command runs again."""
    workspace = open_workspace(session)
    with progress("training") as report:
        learning = importlib.import_module("mvc.porcelain.learning")
        result: EmbedTrainResult = learning.train_embedder(
            workspace, lineages, recipe=card, minutes=minutes, progress=report
        )
    warn(workspace.warnings)
    if as_json:
        output.emit_json(result, "embed-train")
        return
    output.emit_lines(_lines(result.embedder))
    if result.resumed:
        more = "; there is more to learn from now: train again for that" if result.grown else ""
        note(f"it went on from an interrupted training, with the checkpoints that this began with{more}")
    hint("see where checkpoints lie with: mvc embed apply")


@command.command()
@click.argument("revisions", nargs=-1, metavar="[REV|FILE]...", shell_complete=completing.models)
@click.option("--embedder", metavar="NAME", help="Which embedder, as listed [default: the newest].")
@click.option(
    "-o", "--output", "out", type=click.Path(), metavar="FILE.npz", help="Write the latents and their names to a file."
)
@click.option("-f", "--force", is_flag=True, help="Overwrite the file.")
@json_option
@pass_session
def apply(
    session: Session, revisions: tuple[str, ...], embedder: str | None, out: str | None, force: bool, as_json: bool
) -> None:
    """Say where commits and files lie in an embedder's latent space; all commits of its architecture unless named."""
    workspace = open_workspace(session)
    with progress("embedding") as report:
        verbs = importlib.import_module("mvc.porcelain.embed")
        result: EmbedApplyResult = verbs.apply(
            workspace,
            revisions,
            directory=session.directory,
            embedder=embedder,
            output=None if out is None else session.path(out),
            force=force,
            progress=report,
        )
    if as_json:
        output.emit_json(result, "embed-apply")
    elif result.output is not None:
        output.emit_lines([f"{count(len(result.latents), 'latent')} in {escape(result.output)}"])
    else:
        output.emit_lines(_latents(result), paged=True)


@command.command()
@click.option("--embedder", metavar="NAME", help="Which embedder, as listed [default: the newest].")
@json_option
@pass_session
def kin(session: Session, embedder: str | None, as_json: bool) -> None:
    """Find lineages that are one run whose units were put in another order on the way: near each other in the latent
    space, and proved by matching their units. Changes nothing."""
    workspace = open_workspace(session)
    with progress("looking for kin") as report:
        shuffled = importlib.import_module("mvc.porcelain.shuffled")
        result: EmbedKinResult = shuffled.shuffled_runs(workspace, embedder=embedder, progress=report)
    if as_json:
        output.emit_json(result, "embed-kin")
        return
    output.emit_lines(line for run in result.runs for line in _run(run))
    if not result.runs:
        hint("no lineages of this architecture differ by the order of their units alone")


def _run(run: ShuffledRun) -> Iterator[str]:
    near = dict.fromkeys(at.rpartition("@")[0] for link in run.links for at in (link.a_at, link.b_at))
    yield ", ".join(paint(escape(name), "name") for name in near)
    for link in run.links:
        yield f"    {escape(link.a_at)} has its units in another order than {escape(link.b_at)}: " + paint(
            f"{short(link.a)} and {short(link.b)} have cosine {number(link.cosine)} after matching", "dim"
        )
    if others := [name for name in run.lineages if name not in near]:
        yield paint(f"    joined to these by forks: {', '.join(map(escape, others))}", "dim")


def _lines(row: EmbedderRow) -> Iterator[str]:
    used = "" if row.in_use else paint("  not in use", "dim")
    yield f"{paint(escape(row.name), 'name')}  {paint(short(row.id), 'id')}  {size(row.bytes)}{used}"
    learnt = f"{count(row.checkpoints, 'checkpoint')} of {count(row.lineages, 'lineage')}"
    minutes = f", {row.minutes:g} minutes" if row.minutes else ""
    yield f"    {escape(row.recipe)}{minutes}: {learnt}, {escape(row.time[:10])}"
    if row.figures:
        yield "    " + ", ".join(_figures(row.figures))


def _figures(figures: Mapping[str, float]) -> Iterator[str]:
    """Those that this version knows in words."""
    words = {
        "loss": "loss {}",
        "held out": "{} on lineages held out",
        "place": "place along these read with R² {}",
    }
    known = {name: text for name, text in words.items() if name in figures}
    yield from (text.format(number(figures[name])) for name, text in known.items())
    yield from (f"{escape(name)} {number(value)}" for name, value in figures.items() if name not in known)


def _latents(result: EmbedApplyResult) -> Iterator[str]:
    at = [escape(row.path or "" if row.commit is None else f"{row.lineage}@{row.position}") for row in result.latents]
    widest = max(map(width, at))
    for row, name in zip(result.latents, at, strict=True):
        commit = " " * len(short("0" * 64)) if row.commit is None else paint(short(row.commit), "id")
        more = f"  … {len(row.latent) - SHOWN} more" if len(row.latent) > SHOWN else ""
        yield f"{commit}  {pad(name, widest)}  {'  '.join(f'{value:+.3f}' for value in row.latent[:SHOWN])}{more}"
