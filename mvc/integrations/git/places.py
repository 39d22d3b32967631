"""Which mvc repository a file in a git repository belongs to. Asks no git process: diffs and hooks call it often."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from mvc.errors import NotFoundError
from mvc.formats import find_git
from mvc.porcelain.workspace import Workspace
from mvc.repository.layout import find_root

#: opens the mvc repository whose working directory it is given, as whoever runs mvc wants it opened
Open = Callable[[Path], Workspace]


def mvc_root(directory: Path) -> Path | None:
    """The working directory of the mvc repository at or above ``directory``; None where there is none.

    A linked working tree (``git worktree add``) has no ``.mvc`` of its own, as git does not carry it: there the main
    working tree's counts.
    """
    directory = directory.absolute()
    with contextlib.suppress(NotFoundError):
        return find_root(directory)
    place = find_git(directory / "file")
    common = None if place is None else place.common.resolve()
    if place is not None and common is not None and common.name == ".git":
        main = common.parent
        with contextlib.suppress(NotFoundError):
            return find_root(main / directory.resolve().relative_to(place.root))
    return None
