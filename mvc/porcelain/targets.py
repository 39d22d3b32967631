"""Where a checkout may write. Owns the rules; writes nothing.

Refuses ``..``, a way out of the directory through a symbolic link, anything in ``.git`` or ``.mvc`` however it is
spelled, and a name that some file systems would take for that of a file already there.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from mvc.errors import ExistsError, InputError, IntegrityError

_PRIVATE = frozenset({".git", ".mvc", "git~1", "mvc~1"})


def folded(name: str) -> str:
    """What file systems that ignore case, Unicode forms or invisible characters make of a name."""
    visible = "".join(char for char in name if unicodedata.category(char) != "Cf")
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", visible).casefold()).rstrip(". ")


def check_target(target: Path, directory: Path) -> Path:
    """The target, if a checkout started in ``directory`` may write there. Raises InputError, ExistsError.

    A relative target stays inside ``directory``; an absolute one that names a place inside stays inside too.
    """
    given = target if target.is_absolute() else directory / target
    if ".." in target.parts or target.name in ("", ".", ".."):
        raise InputError(
            f"will not write to {str(target)!r}: it names no file, or goes up with '..'",
            hint="name the file itself, with an absolute path if it lies elsewhere",
            code="bad-target",
        )
    lexical = Path(os.path.abspath(given))
    real = _resolved(given.parent) / given.name
    anchor = Path(os.path.abspath(directory))
    if lexical.is_relative_to(anchor) and not real.is_relative_to(_resolved(directory)):
        raise InputError(
            f"will not write to {str(target)!r}: a symbolic link leads out of the directory",
            hint="name the real place with an absolute path",
            code="bad-target",
        )
    private = next((part for part in (*lexical.parts, *real.parts) if folded(part) in _PRIVATE), None)
    if private is not None:
        raise InputError(
            f"will not write to {str(target)!r}: {private!r} is private", hint="name another place", code="bad-target"
        )
    _check_twins(real)
    return given


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:  # a loop of links
        raise InputError(f"cannot use {str(path)!r}: {error}", code="bad-target") from None


def _check_twins(path: Path) -> None:
    try:
        names = os.listdir(path.parent)
    except OSError:
        return  # not there yet: nothing to be taken for
    twin = next((name for name in names if name != path.name and folded(name) == folded(path.name)), None)
    if twin is not None:
        raise ExistsError(
            f"will not write {path.name!r} beside {twin!r}: some file systems hold them for one file",
            hint="choose another name with -o",
        )


def check_recorded(path: str) -> PurePosixPath:
    """A path as a manifest records it, relative to the checkpoint. Raises IntegrityError for what mvc never writes."""
    parts = path.split("/")
    bad = any(part in ("", ".", "..") or "\0" in part or folded(part) in _PRIVATE for part in parts)
    if bad:
        raise IntegrityError(f"a manifest names the file {path!r}, which is not written anywhere", hint="run: mvc fsck")
    return PurePosixPath(path)


def check_recorded_set(paths: Iterable[str]) -> tuple[PurePosixPath, ...]:
    """All paths of one manifest. Raises IntegrityError also where two of them could be one file."""
    found = tuple(check_recorded(path) for path in paths)
    spelled = [tuple(folded(part) for part in path.parts) for path in found]
    if len(set(spelled)) != len(spelled):
        raise IntegrityError("a manifest names two files that could be one", hint="run: mvc fsck")
    return found


def base_name(recorded: str) -> str:
    """Last part of a commit's recorded path. Raises IntegrityError where that is no file's name."""
    return check_recorded(PurePosixPath(recorded).name).name
