"""How a command gets its repository. Owns the one call, so that no command knows where repositories come from."""

from __future__ import annotations

import shlex
from pathlib import Path

from mvc.cli import environment
from mvc.cli.author import author
from mvc.cli.options import Session
from mvc.errors import NotFoundError
from mvc.porcelain.workspace import Workspace


def open_workspace(session: Session) -> Workspace:
    """The repository around the session's directory. MVC_TRUST=1 accepts one that another user owns."""
    return open_at(session.directory, session.directory)


def open_at(start: Path, directory: Path) -> Workspace:
    """The repository around ``start``, for whoever is at work in ``directory``."""
    trust = environment.variable("MVC_TRUST") == "1"
    try:
        return Workspace.open(start, author=author(directory.absolute()), trust=trust)
    except NotFoundError as error:
        if start == directory:
            raise
        raise NotFoundError(error.message, hint=f"run: mvc init {shlex.quote(str(start))}", code=error.code) from None
