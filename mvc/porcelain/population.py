"""Trains one of the zoo's populations: into a directory of checkpoints, of arrays, or into a repository.

Owns where training keeps its state meanwhile: in the directory of arrays, where that is asked for, else in
``.NAME.training`` beside the directory of checkpoints, else in the repository's ``.mvc/training``, under a name that
digests all that the result depends on. The latter two go away at the end. The truth is written outside of the
checkpoints' directory: nothing that commits that directory may see it.
"""

from __future__ import annotations

import hashlib
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from mvc.errors import InputError, NotFoundError
from mvc.porcelain.commits import Declared, commit
from mvc.porcelain.progress import Report, interruptible, silent
from mvc.porcelain.results.zoos import ZooTrainResult
from mvc.porcelain.workspace import Workspace
from mvc.porcelain.zoo import DEMO, list_cards
from mvc.zoo.data import Dataset
from mvc.zoo.demo import demo_population
from mvc.zoo.export import Run, check_places, export, runs_of_zoo
from mvc.zoo.grids import Grid
from mvc.zoo.growing import train_grid
from mvc.zoo.populations import Zoo
from mvc.zoo.published import find_population
from mvc.zoo.sources import load_for

#: checkpoints that are committed at once, at least: a transaction costs a look at the whole repository
_TOGETHER = 2000


def train_card(
    card: str,
    out: Path | None = None,
    *,
    population: Path | None = None,
    into: Workspace | None = None,
    seeds: int | None = None,
    epochs: int | None = None,
    models: int | None = None,
    data: Path | None = None,
    truth: Path | None = None,
    anonymous: bool = False,
    progress: Report | None = None,
) -> ZooTrainResult:
    """Trains ``card`` ("demo" or a population's name); at least one of three places says what becomes of it:

    ``out``: checkpoint files, with the truth in ``truth``; ``population``: arrays and facts, as ``zoo.populations``
    reads them; ``into``: a repository, whose commits declare run, step, metrics and hyperparameters. ``seeds``,
    ``epochs`` and ``models`` are as ``zoo.published.find_population`` takes them; ``data`` is an .npz or a directory of
    IDX files, scikit-learn's digits unless given. Raises InputError, ExistsError, and what committing raises.
    """
    report = progress or silent
    if out is None and population is None and into is None:
        raise InputError("nothing would be kept of the training", hint="give -o DIR, --population DIR or --into REPO")
    truth = truth_beside(out, truth, anonymous=anonymous)
    committed = 0
    if card == DEMO:
        with interruptible(lambda: "the demo keeps nothing before its training is done; the same command begins anew"):
            runs, checkpoints = _demo(out, truth, (population, into, seeds, epochs, models, data), report)
    else:
        grid = _population(card, seeds, epochs, models)
        images = load_for(grid.base, data)
        state = population or _state(grid, images, out, into)
        found: list[Run] = []
        with interruptible(lambda: _told(state, whole=bool(found))):
            found = runs_of_zoo(_trained(grid, images, state, report, kept=population is not None))
            runs, checkpoints = len(found), sum(len(run.weights) for run in found)
            if into is not None:
                committed = commit_runs(into, card, found, progress=report)
            finish = partial(_discard, state if population is None else None)
            if out is not None and truth is not None:
                export(found, out, truth, anonymous=anonymous, last=finish)
            else:
                finish()
    return ZooTrainResult(
        card=card,
        out=None if out is None else str(out),
        truth=None if truth is None else str(truth),
        population=None if population is None else str(population),
        repository=None if into is None else str(into.repository.root),
        runs=runs,
        checkpoints=checkpoints,
        committed=committed,
    )


def truth_beside(out: Path | None, truth: Path | None, *, anonymous: bool) -> Path | None:
    """Where the truth about checkpoint files in ``out`` goes; None without these. Raises InputError, ExistsError."""
    if out is None:
        if truth is not None or anonymous:
            raise InputError("the truth and anonymous names are for checkpoint files", hint="give -o DIR as well")
        return None
    truth = out.parent / f"{out.name}-truth.json" if truth is None else truth
    check_places(out, truth)
    return truth


def commit_runs(into: Workspace, card: str, runs: list[Run], *, progress: Report | None = None) -> int:
    """Commits every checkpoint of ``runs`` and returns how many were not there; those that were are left as they are.

    Each declares its run, its epoch as the step, its metrics, and card and hyperparameters as further facts.
    """
    total = sum(len(run.weights) for run in runs)
    done = new = 0
    for some in _batches(runs):
        with tempfile.TemporaryDirectory(prefix="mvc-zoo-") as scratch:
            facts: dict[Path, Declared] = {}
            for run in some:
                extra = {"card": card} | {name: str(value) for name, value in run.hyperparameters.items()}
                for number, epoch in enumerate(run.epochs):
                    place = f"{card}/{run.place(number)}"
                    file = Path(scratch, place)
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.write_bytes(run.file(number))
                    facts[file] = Declared(run.name, epoch, run.metrics[number], extra, place)

            def report(here: int, _count: int | None, what: str, before: int = done) -> None:
                if progress is not None:
                    progress(before + here, total, what)

            result = commit(into, list(facts), each=facts.__getitem__, search=False, progress=report)
            new += sum(row.relation not in ("duplicate", "restores") for row in result.commits)
            done += len(facts)
    return new


def _batches(runs: list[Run]) -> Iterator[list[Run]]:
    some: list[Run] = []
    for run in runs:
        some.append(run)
        if sum(len(one.weights) for one in some) >= _TOGETHER:
            yield some
            some = []
    if some:
        yield some


def _population(card: str, seeds: int | None, epochs: int | None, models: int | None) -> Grid:
    try:
        return find_population(card, seeds=seeds, epochs=epochs, models=models)
    except NotFoundError as error:  # the demo is no single population, and yet a card here
        names = ", ".join(row.name for row in list_cards().cards)
        raise NotFoundError(error.message, hint=f"one of: {names}") from None


def _trained(grid: Grid, data: Dataset, state: Path, report: Report, *, kept: bool) -> Zoo:
    """Trains in ``state``, a directory that the caller asked for (``kept``) or one that is only there meanwhile."""
    try:
        return train_grid(grid, data, state, progress=lambda what, done, total: report(done, total, what))
    except InputError as error:
        if kept or error.code != "other-training":
            raise
        raise InputError(
            f"an interrupted training of other models, epochs or images is kept in {str(state)!r}",
            hint=f"give the same ones to go on with it, or start anew after: rm -r {shlex.quote(str(state))}",
            code=error.code,
        ) from None


def _told(state: Path, *, whole: bool) -> str:
    """What an interruption leaves of a training, the ``whole`` of it or less."""
    if any(state.glob("groups/*/state.safetensors")):
        return f"what was trained is kept in {str(state)!r}; the same command goes on with it"
    if whole:
        return "what was written stays; the same command completes it"
    return "nothing was trained yet; the same command begins anew"


def _discard(state: Path | None) -> None:
    """Takes the training's state away. Moved aside first: half of one could be neither gone on with nor begun anew."""
    if state is not None:
        aside = state.with_name(f"{state.name}-done")
        shutil.rmtree(aside, ignore_errors=True)
        state.rename(aside)
        shutil.rmtree(aside)


def _state(grid: Grid, data: Dataset, out: Path | None, into: Workspace | None) -> Path:
    if out is not None:
        return out.parent / f".{out.name}.training"
    assert into is not None
    key = hashlib.blake2b(repr((grid, data.fingerprint())).encode(), digest_size=16).hexdigest()
    return into.repository.layout.training / f"{key}.zoo"


def _demo(out: Path | None, truth: Path | None, others: tuple[object, ...], report: Report) -> tuple[int, int]:
    if out is None or truth is None or any(other is not None for other in others):
        raise InputError(
            "the demo's population has one size and is written as files", hint="choose a card from: mvc zoo list"
        )
    known = demo_population(out, truth, progress=lambda what, done, total: report(done, total, what))
    return len(known["runs"]), len(known["files"])
