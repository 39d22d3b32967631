"""How a command gets its repository. Owns the one call, so that no command knows where repositories come from."""

from __future__ import annotations

from mvc.cli import environment
from mvc.cli.author import author
from mvc.cli.options import Session
from mvc.porcelain.workspace import Workspace


def open_workspace(session: Session) -> Workspace:
    """The repository around the session's directory. MVC_TRUST=1 accepts one that another user owns."""
    trust = environment.variable("MVC_TRUST") == "1"
    return Workspace.open(session.directory, author=author(session.directory.absolute()), trust=trust)
