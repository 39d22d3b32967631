"""What git calls. Owns the order (what stood there before goes first, and its failure is the last word), and what a
hook may fail: the gates fail with a finding, the others come after the fact and never do.

Light on purpose: what reads weights is imported once it is known that models are concerned.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mvc.errors import InputError, MvcError
from mvc.integrations.git import models
from mvc.integrations.git.reading import Blob, GitRepository
from mvc.integrations.git.results import HookEntry, HookResult

#: hook → what does its work, given (git, blobs, open_workspace), as "module:function"
_WORK = {
    "pre-push": "pushing:pre_push",
    "pre-receive": "pushing:pre_receive",
    "post-commit": "recording:post_commit",
    "post-checkout": "hinting:hints",
    "post-merge": "hinting:hints",
}
GATES = ("pre-push", "pre-receive")
NAMES = tuple(_WORK)
#: what stood in a hook's place before mvc is kept beside it under this ending
BEFORE = ".before-mvc"


def run_hook(
    git: GitRepository, name: str, arguments: Sequence[str], stdin: bytes, open_workspace: Callable[[Path], Any]
) -> HookResult:
    """mvc's part of a hook. ``open_workspace`` opens the mvc repository whose working directory it is given.

    Raises MvcError for a gate that cannot judge; after the fact that is a warning of the result.
    """
    try:
        blobs = models.models(git, _concerned(git, name, arguments, stdin.decode("utf-8", "replace")))
        entries: tuple[HookEntry, ...] = ()
        if blobs:
            module, _, function = _WORK[name].partition(":")
            work = getattr(importlib.import_module(f"mvc.integrations.git.{module}"), function)
            entries = tuple(work(git, blobs, open_workspace))
        return HookResult.of(name, entries)
    except MvcError as error:
        if name in GATES:
            raise
        return HookResult.of(name, (), (f"{error.message}; {error.hint}" if error.hint else error.message,))


def run_before(
    git: GitRepository, name: str, arguments: Sequence[str], stdin: bytes | None, *, aside: bool = False
) -> int:
    """Runs the hook that mvc's stands before, if there is one: its exit status, 0 for none.

    ``stdin`` is what git wrote to the hook; None: it reads for itself. ``aside``: what it prints goes to stderr.
    """
    before = git.hooks / f"{name}{BEFORE}"
    if not os.access(before, os.X_OK) or before.is_dir():
        return 0  # git leaves out hooks that are not executable, too
    out = sys.stderr if aside else None
    done = subprocess.run([str(before), *arguments], input=stdin, stdout=out, cwd=git.directory, check=False)
    return done.returncode if done.returncode >= 0 else 128 - done.returncode


def _concerned(git: GitRepository, name: str, arguments: Sequence[str], stdin: str) -> list[Blob]:
    if name == "pre-push":
        return models.leaving(git, stdin)
    if name == "pre-receive":
        return models.arriving(git, stdin)
    if name == "post-commit":
        return models.committed_now(git)
    if name == "post-merge":
        return models.merged(git)
    if len(arguments) != 3:
        raise InputError(f"post-checkout takes three arguments, not {len(arguments)}", hint="let git call this hook")
    return models.checked_out(git, *arguments)
