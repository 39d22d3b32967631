"""Runs a paper and keeps what came out. Owns the files of the output directory beside the zoos.

zoos/NAME/     trained populations; a run that is interrupted goes on from them
results.json   the outcome, `mvc.paper/v1`
results.md     the same as Markdown tables
figures/       a PNG of each zoo, if asked for
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from mvc.errors import ExistsError
from mvc.papers.catalogue import find_paper
from mvc.papers.lineages.cards import ZooCard
from mvc.papers.lineages.figures import Weights, draw, require_figures
from mvc.papers.lineages.outcome import PaperOutcome
from mvc.papers.lineages.run import ZOOS, run_paper
from mvc.papers.lineages.tables import markdown
from mvc.porcelain.progress import Report
from mvc.porcelain.results.plain import to_json
from mvc.zoo.data import load
from mvc.zoo.files import write_whole

FIGURES = "figures"
RESULTS = ("results.json", "results.md", FIGURES)


def reproduce(
    paper: str,
    out: Path,
    *,
    seeds: int | None = None,
    epochs: int | None = None,
    data: Path | None = None,
    only: Sequence[str] = (),
    figures: bool = False,
    progress: Report | None = None,
) -> PaperOutcome:
    """Trains and measures ``paper`` in ``out``; ``data`` is an .npz or a directory of IDX files, digits unless given.

    Raises NotFoundError, InputError (also where ``out`` holds the paper's zoos trained otherwise, and for ``figures``
    without the extra that draws them), ExistsError.
    """
    card = find_paper(paper)
    if figures:
        require_figures()
    if out.exists() and (not out.is_dir() or any(one.name not in (ZOOS, *RESULTS) for one in out.iterdir())):
        raise ExistsError(f"{str(out)!r} holds something else", hint="give another directory with -o")

    def report(what: str, done: int, total: int) -> None:
        if progress is not None:
            progress(done, total, what)

    def illustrate(zoo: ZooCard, weights: Weights) -> str:
        name = f"{FIGURES}/{zoo.name}.png"
        write_whole(out / name, draw(f"{card.name}: {zoo.name}", weights, card.engine_rank))
        return name

    outcome = run_paper(
        card,
        load(data),
        out,
        seeds=seeds,
        epochs=epochs,
        only=only,
        progress=report,
        illustrate=illustrate if figures else None,
    )
    write_whole(out / "results.json", json.dumps(to_json(outcome, "paper"), indent=1).encode())
    write_whole(out / "results.md", markdown(outcome).encode())
    return outcome
