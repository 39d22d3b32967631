"""Takes a population that others have trained and published into checkpoint files, or into a repository."""

from __future__ import annotations

from pathlib import Path

from mvc.errors import InputError
from mvc.porcelain.population import commit_runs, truth_beside
from mvc.porcelain.progress import Report, interruptible
from mvc.porcelain.results.zoos import ZooTrainResult
from mvc.porcelain.workspace import Workspace
from mvc.zoo.export import export, runs_of_zoo
from mvc.zoo.unterthiner import read_unterthiner


def import_zoo(
    directory: Path,
    out: Path | None = None,
    *,
    into: Workspace | None = None,
    models: int | None = None,
    truth: Path | None = None,
    anonymous: bool = False,
    progress: Report | None = None,
) -> ZooTrainResult:
    """Takes over every checkpoint of the zoo of Unterthiner et al. in ``directory``, or of its first ``models`` models.

    ``out``, ``truth``, ``anonymous`` and ``into`` are as in `population.train_card`. Raises NotFoundError, FormatError,
    InputError, ExistsError, and what committing raises.
    """
    if out is None and into is None:
        raise InputError("the zoo would go nowhere", hint="give -o DIR or --into REPO")
    truth = truth_beside(out, truth, anonymous=anonymous)
    with interruptible(lambda: "what was written stays; the same command completes it"):
        zoo = read_unterthiner(directory, models=models)
        runs = runs_of_zoo(zoo)
        committed = 0 if into is None else commit_runs(into, zoo.name, runs, progress=progress)
        if out is not None and truth is not None:
            export(runs, out, truth, anonymous=anonymous)
    return ZooTrainResult(
        card=zoo.name,
        out=None if out is None else str(out),
        truth=None if truth is None else str(truth),
        population=None,
        repository=None if into is None else str(into.repository.root),
        runs=len(runs),
        checkpoints=sum(len(run.weights) for run in runs),
        committed=committed,
    )
