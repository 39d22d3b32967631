"""Whether git still carries what only a pointer should stand for. Owns that look; a repository that git will not read
has no answer, as it is only a remark that depends on it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from mvc.errors import InputError
from mvc.formats import find_git
from mvc.integrations.git.reading import GitRepository


def still_tracked(paths: Sequence[Path]) -> list[Path]:
    """Those of these files and directories that git's index holds something of: no ``.gitignore`` changes that."""
    around: dict[Path, list[Path]] = defaultdict(list)
    for path in paths:
        place = find_git(path.parent / "-")  # around the name: what a link leads to is another matter
        if place is not None:
            around[place.root].append(path)
    return [path for root, group in around.items() for path in _tracked(root, group)]


def _tracked(root: Path, paths: Sequence[Path]) -> list[Path]:
    names = {path: (path.parent.resolve() / path.name).relative_to(root).as_posix() for path in paths}
    try:
        held = {blob.path for blob in GitRepository(root).tracked()}
    except InputError:
        return []
    directories = {parent.as_posix() for name in held for parent in Path(name).parents}
    return [path for path, name in names.items() if name in held or name in directories]
