"""Runs a paper and keeps what came out. Owns the files of the output directory beside what the protocol keeps there.

zoos/NAME/     trained populations; a run that is interrupted goes on from them
results.json   the outcome, `mvc.paper/v1`
results.md     the same as Markdown tables
figures/       a PNG of each zoo, if asked for
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mvc.errors import ExistsError, InputError
from mvc.papers.cards import Paper
from mvc.papers.catalogue import find_paper
from mvc.papers.characteristics import run as characteristics
from mvc.papers.characteristics import tables as characteristics_tables
from mvc.papers.characteristics.cards import CharacteristicsPaper
from mvc.papers.characteristics.outcome import CharacteristicsOutcome
from mvc.papers.characteristics.populations import Populations, Scale
from mvc.papers.lineages import run as lineages
from mvc.papers.lineages import tables as lineages_tables
from mvc.papers.lineages.cards import LineagePaper, ZooCard
from mvc.papers.lineages.figures import Weights, draw, require_figures
from mvc.papers.lineages.outcome import PaperOutcome
from mvc.porcelain.progress import Report, interruptible
from mvc.porcelain.results.plain import to_json
from mvc.zoo.data import load
from mvc.zoo.files import write_whole
from mvc.zoo.train import Progress

ZOOS, FIGURES = "zoos", "figures"
RESULTS = ("results.json", "results.md")
Outcome = PaperOutcome | CharacteristicsOutcome


@dataclass(frozen=True)
class Asked:
    """What a run is asked for; None: as the paper's card says. ``data`` is an .npz or a directory of IDX files.

    ``seeds`` of every zoo (of every combination of hyperparameters, where these vary), ``models`` of it in all,
    ``epochs`` of its training; ``own``: such numbers of single zoos, by zoo and name. ``repeats`` of every measurement,
    ``minutes`` of every training of a representation. ``kept``: nothing is done but to tell what earlier runs have
    measured, in whatever size.
    """

    seeds: int | None = None
    models: int | None = None
    epochs: int | None = None
    own: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    data: Path | None = None
    only: Sequence[str] = ()
    tables: Sequence[str] = ()
    rows: Sequence[str] = ()
    repeats: int | None = None
    minutes: float | None = None
    kept: bool = False
    figures: bool = False


def reproduce(paper: str, out: Path, asked: Asked, *, progress: Report | None = None) -> Outcome:
    """Trains and measures ``paper`` in ``out``; where only what is kept is asked for, nothing is written there.

    Raises NotFoundError, InputError (also where ``out`` holds the paper's zoos trained otherwise, for what this paper
    does not have, and for figures without the extra that draws them), ExistsError.
    """
    card = find_paper(paper)

    def report(what: str, done: int, total: int) -> None:
        if progress is not None:
            progress(done, total, what)

    with interruptible(lambda: _told(out, asked)):
        outcome = _run(card, out, asked, report)
        if not asked.kept:
            _write(out, outcome)
    return outcome


def _told(out: Path, asked: Asked) -> str:
    """What an interruption leaves."""
    if asked.kept or not out.exists():
        return "nothing was done; the same command begins anew"
    return f"what was trained and measured is kept in {str(out)!r}; the same command goes on with it"


def _run(card: Paper, out: Path, asked: Asked, report: Progress) -> Outcome:
    match card:
        case LineagePaper():
            if asked.own:
                raise InputError(f"{card.name} has one size for all its zoos", hint="give plain numbers")
            others = {"models": asked.models, "table": asked.tables, "row": asked.rows}
            _refuse(card, **others, repeats=asked.repeats, minutes=asked.minutes, kept=asked.kept)
            if asked.figures:
                require_figures()
            _claim(out, ZOOS, FIGURES)

            def illustrate(zoo: ZooCard, weights: Weights) -> str:
                name = f"{FIGURES}/{zoo.name}.png"
                write_whole(out / name, draw(f"{card.name}: {zoo.name}", weights, card.engine_rank))
                return name

            outcome: Outcome = lineages.run_paper(
                card,
                load(asked.data),
                out / ZOOS,
                seeds=asked.seeds,
                epochs=asked.epochs,
                only=asked.only,
                progress=report,
                illustrate=illustrate if asked.figures else None,
            )
        case CharacteristicsPaper():
            _refuse(card, figures=asked.figures)
            characteristics.known("zoo", [*asked.own], [zoo.name for zoo in card.zoos], card.name)
            _claim(out, ZOOS, *characteristics.KEPT)
            scale = Scale(asked.seeds, asked.models, asked.epochs)
            own = {zoo: replace(scale, **counts) for zoo, counts in asked.own.items()}
            outcome = characteristics.run_paper(
                card,
                Populations(card.zoos, out / ZOOS, scale=scale, own=own, where=asked.data, initial=card.initial),
                out,
                tables=asked.tables,
                labels=asked.rows,
                only=asked.only,
                repeats=asked.repeats,
                minutes=asked.minutes,
                kept=asked.kept,
                before=_tables(out),
                progress=report,
                written=lambda so_far: _write(out, so_far),
            )
        case _:
            raise InputError(f"{card.name} has no protocol that can be run")
    return outcome


def page(outcome: Outcome) -> str:
    """An outcome as Markdown."""
    if isinstance(outcome, PaperOutcome):
        return lineages_tables.markdown(outcome)
    return characteristics_tables.markdown(outcome)


def _write(out: Path, outcome: Outcome) -> None:
    write_whole(out / "results.json", json.dumps(to_json(outcome, "paper"), indent=1).encode())
    write_whole(out / "results.md", page(outcome).encode())


def _tables(out: Path) -> tuple[str, ...]:
    """Tables in the results of earlier runs; none where these cannot be read."""
    try:
        return tuple(str(table["table"]) for table in json.loads((out / RESULTS[0]).read_text())["tables"])
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def _refuse(card: Paper, **asked: object) -> None:
    for option, value in asked.items():
        if value:
            raise InputError(f"{card.name} takes no --{option}", hint=f"leave --{option} out")


def _claim(out: Path, *kept: str) -> None:
    """Raises ExistsError where ``out`` holds what no run of this protocol leaves."""
    if out.exists() and (not out.is_dir() or any(one.name not in (*kept, *RESULTS) for one in out.iterdir())):
        raise ExistsError(f"{str(out)!r} holds something else", hint="give another directory with -o")
