"""Which mvc repositories git's hooks and diffs may open unasked. Owns the rule beyond those of `Repository.open`."""

from __future__ import annotations

from pathlib import Path

from mvc.errors import InputError
from mvc.integrations.git.reading import GitRepository
from mvc.repository.layout import DIRECTORY


def check_not_carried(root: Path, directory: Path) -> None:
    """Raises InputError for the mvc repository of ``root`` where git carries it: it came with a clone or a pull, so
    its settings, such as where its index lies, may be anybody's. ``directory`` is where git is at work."""
    try:
        git = GitRepository(directory)
    except InputError:
        return  # not called by git
    if git.inside and git.carries(root / DIRECTORY):
        raise InputError(
            f"the mvc repository in {str(root)!r} is tracked by git, so it may be anybody's",
            hint="if it is yours, run: git rm -r --cached .mvc",
            code="carried",
        )
