"""The process that commits what a training hands over: reads errands from stdin, answers each with one line on stdout.

A process and not a thread: a commit computes for seconds, and in the training's interpreter that would take the lock
that the training loop needs; it cannot be caught in a fork of a data loader; and when the training is killed it goes on
with what it was handed, and ends at the end of stdin. It makes way: it is nicer than the training, and ignores Ctrl-C,
which is the training's to answer.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import time
from datetime import datetime
from functools import cache
from pathlib import Path

from mvc.errors import BusyError, FormatError, MvcError
from mvc.integrations.git.reading import GitRepository
from mvc.integrations.loops.errands import END, Errand, Outcome
from mvc.porcelain.author import author as found_author
from mvc.porcelain.commits import Declared, commit
from mvc.porcelain.intake import recorded_path
from mvc.porcelain.stamps import as_it_was, stamp_of
from mvc.porcelain.workspace import Workspace

#: of 19: a saturated machine gives it a tenth of what it gives the training
_NICE = 10
#: a repository that others keep busy is asked so often, each time for as long as its config says
_ATTEMPTS = 10
#: seconds after which scratch files that nobody took away are somebody's who is dead
_ABANDONED = 24 * 3600.0


def carry_out(workspace: Workspace, errand: Errand) -> Outcome:
    """Commits what the errand names; whatever goes wrong is its outcome."""
    try:
        return _commit(workspace, errand)
    except MvcError as error:
        return Outcome(error=error.message, hint=error.hint, code=error.code)
    except Exception as error:  # the training must hear of a defect, too, and go on
        return Outcome(error=f"{type(error).__name__}: {error}", code="defect")
    finally:
        if errand.scratch is not None:
            shutil.rmtree(errand.scratch, ignore_errors=True)


def _commit(workspace: Workspace, errand: Errand) -> Outcome:
    path = Path(errand.path)
    if not as_it_was(errand.seen, _stamp(path)):
        raise FormatError(
            f"{errand.shown!r} was deleted or overwritten before it could be committed",
            hint="give each save a name of its own, or hand over the state dict; if files are rotated, say keep=True",
            code="overwritten",
        )
    told = Declared(
        run=errand.run,
        step=errand.step,
        metrics=errand.metrics,
        extra={**_git_facts(), **errand.extra},
        path=None if errand.recorded is None else _recorded(workspace, errand.recorded),
    )
    moment = datetime.fromisoformat(errand.time)
    for attempt in range(_ATTEMPTS):
        with contextlib.suppress(*[BusyError] if attempt < _ATTEMPTS - 1 else []):
            result = commit(
                workspace, [path], message=errand.message, time=moment, search=False, each=lambda _path: told
            )
            row = result.commits[0]
            return Outcome(row.id, row.lineage, row.position, known=row.relation == "duplicate")
    raise AssertionError("unreachable")


def _stamp(path: Path) -> dict[str, tuple[int, int, int]]:
    try:
        return stamp_of(path)
    except OSError:
        return {}


def _recorded(workspace: Workspace, path: str) -> str:
    return recorded_path(workspace.repository, Path(path)) if os.path.isabs(path) else path


@cache
def _git_facts() -> dict[str, str]:
    """The git commit that the training's directory stands at, as this process started; {} outside of git."""
    with contextlib.suppress(MvcError, OSError):
        git = GitRepository(Path())
        head = git.ask("rev-parse", "HEAD").decode("ascii").strip()
        changed = git.ask("status", "--porcelain", "--untracked-files=no")
        return {"git": head, "git-dirty": "yes" if changed.strip() else "no"}
    return {}


def _sweep(scratch: Path) -> None:
    """Takes away what trainings left that were killed together with their committer."""
    with contextlib.suppress(OSError):
        for entry in os.scandir(scratch):
            if time.time() - entry.stat().st_mtime > _ABANDONED:
                shutil.rmtree(entry.path, ignore_errors=True)


def main(root: str, author: str) -> None:
    """Serves until stdin ends. What libraries print goes to stderr: stdout is for answers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        os.nice(_NICE)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _git_facts()
    workspace = Workspace.open(root, author=author or found_author(Path()), trust=True)
    _sweep(workspace.repository.layout.scratch)
    homes = set()
    for line in iter(sys.stdin.buffer.readline, b""):
        if line == END:
            break
        try:
            errand = Errand.from_line(line)
            homes |= {os.path.dirname(errand.scratch)} if errand.scratch is not None else set()
            outcome = carry_out(workspace, errand)
        except (ValueError, TypeError):  # somebody was interrupted while he wrote it
            outcome = Outcome(error="it was handed over incompletely", code="torn")
        with contextlib.suppress(OSError):  # the training is gone; what it handed over is committed all the same
            answers.write(outcome.to_line())
            answers.flush()
    for home in homes:
        with contextlib.suppress(OSError):
            os.rmdir(home)


if __name__ == "__main__":
    main(*sys.argv[1:])
