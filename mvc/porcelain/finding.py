"""Which checkpoints paths name that are to be committed. Owns what is left out of a directory; commits nothing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from mvc.errors import FormatError, InputError, MvcError
from mvc.formats import find_checkpoints, open_checkpoint
from mvc.porcelain.pointers import check_pointed


def find_all(paths: Sequence[Path | str]) -> tuple[list[Path], list[str]]:
    """Checkpoints to commit, each once, and what was left out in directories that were searched."""
    found: dict[str, Path] = {}
    warnings: list[str] = []
    for given in map(Path, paths):
        if not given.is_dir():
            check_pointed(given)
            found.setdefault(os.path.abspath(given), given)
            continue
        below = find_checkpoints(given)
        complete = [item.path for item in below if item.state == "complete"]
        if not complete or any(item.path == given and item.state != "complete" for item in below):
            # says what is wrong with the directory, if it is meant to be one checkpoint
            first = next((item.path for item in below if item.state != "complete"), given)
            open_checkpoint(first).close()
            raise FormatError(f"there is no checkpoint in {str(given)!r}", hint="see what is there with: mvc status")
        for path in complete:
            if holds_weights(path):
                found.setdefault(os.path.abspath(path), path)
            else:
                warnings.append(f"left out {str(path)!r}: it holds no weights; name it to commit it all the same")
        named = (item for item in below if item.state not in ("complete", "pointer"))
        warnings += [f"left out {str(item.path)!r}: {item.reason}" for item in named]
    if not found:
        raise InputError("no checkpoint was named", hint="run: mvc commit PATH")
    return list(found.values()), warnings


def holds_weights(path: Path) -> bool:
    """Whether a file that was found, not named, is a model: an optimizer's state alone is none."""
    try:
        with open_checkpoint(path) as opened:
            return bool(opened.specs)
    except MvcError:
        return True  # committing it says what is wrong with it
