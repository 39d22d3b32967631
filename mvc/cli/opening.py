"""How a command gets its repository. Owns the one call, so that no command knows where repositories come from."""

from __future__ import annotations

import importlib
import shlex
from pathlib import Path
from typing import cast

import click

from mvc.cli import environment
from mvc.cli.messages import note
from mvc.cli.options import Session
from mvc.cli.text import escape
from mvc.errors import NotFoundError
from mvc.porcelain.author import author
from mvc.porcelain.progress import Report, silent
from mvc.porcelain.workspace import Workspace
from mvc.repository import Holder

#: seconds from which a wait is told
_NOTICEABLE = 1.0


def open_workspace(session: Session, at_op: str | None = None, *, told: Report = silent) -> Workspace:
    """The repository around the session's directory, as it stood after the operation ``at_op`` if that is given.
    ``told`` is told how far its index is being brought up to date. MVC_TRUST=1 accepts one that another user owns."""
    workspace = open_at(session.directory, session.directory)
    workspace.told = lambda done, total, what: told(done, total, f"index: {what}")
    if at_op is None:
        return workspace
    return cast(Workspace, importlib.import_module("mvc.porcelain.operations").as_of(workspace, at_op))


def open_at(start: Path, directory: Path) -> Workspace:
    """The repository around ``start``, for whoever is at work in ``directory``."""
    trust = environment.variable("MVC_TRUST") == "1"
    try:
        workspace = Workspace.open(start, author=author(directory), trust=trust)
    except NotFoundError as error:
        if start == directory:
            raise
        raise NotFoundError(error.message, hint=f"run: mvc init {shlex.quote(str(start))}", code=error.code) from None
    workspace.repository.waiting = _tell_waiting
    context = click.get_current_context(silent=True)
    if context is not None and isinstance(session := context.find_root().obj, Session):
        session.opened.append(workspace)
    return workspace


def _tell_waiting(holder: Holder | None, seconds: float) -> None:
    if seconds >= _NOTICEABLE:
        note(f"waiting up to {seconds:g} s for {escape(holder or 'another process')}")
