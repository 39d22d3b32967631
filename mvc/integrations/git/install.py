"""Sets a git repository up for mvc, and back. Owns where hooks go; what was there is never overwritten.

Where git looks for hooks in its own directory, a shim takes a hook's name there; the hook that had it is kept beside it
and runs first. Where ``core.hooksPath`` leads elsewhere (to a tracked directory, husky's, or one for all of a user's
repositories) nothing is written there: git is led to a directory of our own, whose hooks all go on to those. All else
that changes is a few marked lines in git's configuration and in .gitattributes.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from mvc.errors import ExistsError, InputError
from mvc.integrations.git.editing import Edits
from mvc.integrations.git.hooks import BEFORE, NAMES, is_framework
from mvc.integrations.git.models import DRIVER
from mvc.integrations.git.places import mvc_root
from mvc.integrations.git.reading import GitRepository
from mvc.integrations.git.results import InstalledHook, InstallResult, UninstallResult
from mvc.repository.layout import DIRECTORY, Layout
from mvc.storage import REAL, atomic_write, disk_errors, make_directories

#: what tells a script of ours
_MARK = b"# mvc git hook: "
#: the pre-commit framework's ending for the hook that it found
_LEGACY = ".legacy"
#: hooks that people have; those whose mere presence changes what git does are not among them
_USUAL = frozenset(
    (
        *("applypatch-msg", "pre-applypatch", "post-applypatch", "pre-commit", "pre-merge-commit", "commit-msg"),
        *("prepare-commit-msg", "post-commit", "pre-rebase", "post-checkout", "post-merge", "pre-push", "post-rewrite"),
        *("pre-auto-gc", "pre-receive", "update", "post-receive", "post-update"),
    )
)


def install(directory: Path) -> InstallResult:
    """Sets up the git repository around ``directory``; doing it again changes nothing.

    In a bare repository that is the gate of a server, else everything else. Raises InputError, ExistsError, BusyError,
    StorageError.
    """
    git = GitRepository(directory)
    attributes = git.top / ".gitattributes" if git.inside else None
    if attributes is None and not git.bare:
        raise InputError("this is git's own directory", hint="run it again in the working tree")
    if attributes is not None and attributes.is_symlink():
        raise InputError(f"{str(attributes)!r} is a link, so git does not read it", hint="replace it by a file")
    own = git.common / "mvc"
    edits = Edits(own)
    names = [name for name in NAMES if (name == "pre-receive") != git.inside]
    theirs = _hooks_of_others(git, own / "hooks")
    aside = _leads_elsewhere(git, theirs)
    hooks = own / "hooks" if aside else git.common / "hooks"
    before = {name: theirs / name if aside else hooks / f"{name}{BEFORE}" for name in names}
    if aside:
        _make_own(hooks, names, theirs)
    else:
        _check_free(hooks, names)
    make_directories(REAL, own)
    atomic_write(REAL, own / "config", (_settings(hooks if aside else None).encode(),), overwrite=True)
    edits.put(git.common / "config", ["[include]", "\tpath = mvc/config"])
    root = None
    if attributes is not None:
        root = mvc_root(git.top)
        edits.put(attributes, _attributes(root))
    if aside:
        _give_places(git)
    else:
        edits.make_directory(hooks)
        for name in names:
            _take_place(hooks, name)
        shutil.rmtree(own / "hooks", ignore_errors=True)
    installed = tuple(
        InstalledHook(name, str(hooks / name), str(before[name]) if before[name].is_file() else None) for name in names
    )
    places = (None if path is None else str(path) for path in (attributes, root))
    return InstallResult(str(git.common), installed, *places)


def uninstall(directory: Path) -> UninstallResult:
    """Leaves the repository as `install` found it. Nothing is installed: nothing is done. Raises as `install`."""
    git = GitRepository(directory)
    own = git.common / "mvc"
    removed, restored = _give_places(git)
    for path in Edits(own).take_back():
        (restored if path.exists() else removed).append(str(path))
    if own.is_dir():
        shutil.rmtree(own)
        removed.append(str(own))
    return UninstallResult(str(git.common), tuple(removed), tuple(restored))


def _hooks_of_others(git: GitRepository, own: Path) -> Path:
    """Where git would look for hooks without us."""
    listed = git.finds("config", "--type=path", "-z", "--get-all", "core.hooksPath") or b""
    paths = [Path(os.fsdecode(value)) for value in listed.split(b"\0") if value]
    found = [path for path in paths if path != own]
    # relative to where git runs hooks
    return (git.top if git.inside else git.common) / found[-1] if found else git.common / "hooks"


def _leads_elsewhere(git: GitRepository, theirs: Path) -> bool:
    """Whether hooks are, or with husky will be once it is set up, outside git's own directory of hooks."""
    here = git.common / "hooks"
    elsewhere = here.is_symlink() or os.path.realpath(theirs) != os.path.realpath(here)
    return elsewhere or (git.inside and (git.top / ".husky").is_dir())


def _make_own(hooks: Path, names: Sequence[str], theirs: Path) -> None:
    """A directory of hooks where every one goes on to that of its name in ``theirs``."""
    make_directories(REAL, hooks)
    found = theirs.iterdir() if theirs.is_dir() else ()
    others = {path.name for path in found if "." not in path.name and path.is_file() and os.access(path, os.X_OK)}
    for name in _USUAL | others:
        _write_script(hooks / (f"{name}{BEFORE}" if name in names else name), "chain")
    for name in names:
        _write_script(hooks / name, name)


def _check_free(hooks: Path, names: Sequence[str]) -> None:
    """Raises ExistsError where a hook stands in the place of ours, and another one beside it already."""
    for name in names:
        place, before = hooks / name, hooks / f"{name}{BEFORE}"
        if not _runs_us(hooks, name) and os.path.lexists(place) and os.path.lexists(before):
            hint = f"merge the two into {str(place)!r}, remove the other, and run mvc git install again"
            raise ExistsError(f"both {str(place)!r} and {str(before)!r} are hooks that mvc did not write", hint=hint)


def _take_place(hooks: Path, name: str) -> None:
    """Puts a shim in a hook's place, and keeps what stood there."""
    place = hooks / name
    if not _is_ours(place):
        if _runs_us(hooks, name):
            return
        if os.path.lexists(place):
            with disk_errors(place, "rename"):
                os.rename(place, hooks / f"{name}{BEFORE}")
    _write_script(place, name)


def _runs_us(hooks: Path, name: str) -> bool:
    """Whether the hook is ours, or the pre-commit framework came after us and runs us."""
    return _is_ours(hooks / name) or _is_ours(hooks / f"{name}{_LEGACY}")


def _give_places(git: GitRepository) -> tuple[list[str], list[str]]:
    """Takes our shims away, and puts back what they took the place of: the paths of both."""
    removed: list[str] = []
    restored: list[str] = []
    for name in NAMES:
        for place in (git.common / "hooks" / name, git.common / "hooks" / f"{name}{_LEGACY}"):
            if _is_ours(place):
                with disk_errors(place, "put back"):
                    (restored if _give_place(place, name) else removed).append(str(place))
    return removed, restored


def _give_place(place: Path, name: str) -> bool:
    """Takes a shim away, and puts back what it took the place of: whether there was anything."""
    before = place.with_name(f"{name}{BEFORE}")
    if not os.path.lexists(before):
        place.unlink()
        return False
    if is_framework(before) and is_framework(place.with_name(name)):
        before.unlink()  # it is back in its place already, and must not be called by itself
        place.unlink()
        return False
    os.replace(before, place)
    return True


def _write_script(place: Path, name: str) -> None:
    script = (files("mvc.integrations") / "hooks" / name).read_bytes()
    if not place.is_file() or place.read_bytes() != script:
        atomic_write(REAL, place, (script,), overwrite=True, mode=0o777)


def _is_ours(place: Path) -> bool:
    return place.is_file() and not place.is_symlink() and _MARK in place.read_bytes()[:200]


def _attributes(root: Path | None) -> list[str]:
    """The template's lines: those of the mvc repository, if it has a file of them."""
    laid = None if root is None else Layout(root / DIRECTORY).gitattributes
    shipped = files("mvc.repository") / "template" / "gitattributes"
    return (laid if laid is not None and laid.is_file() else shipped).read_text("utf-8").splitlines()


def _settings(hooks: Path | None) -> str:
    """Our own file of git's configuration: where mvc is, how a model is shown, and where hooks are, if not as usual.

    The shell function keeps `git diff` going where mvc cannot be run.
    """
    beside = Path(sys.executable).parent / "mvc"
    program = str(beside) if beside.exists() else shutil.which("mvc")
    place = str(Path(program).parent) if program else ""
    show = (
        f'mvc_text() {{ PATH="$PATH":{shlex.quote(place)}; mvc git textconv "$1" '
        '|| echo "mvc cannot be run: put it on PATH, or run mvc git uninstall"; }; mvc_text'
    )
    lines = ["[mvc]", f"\tbin = {_quoted(place)}", f'[diff "{DRIVER}"]', f"\ttextconv = {_quoted(show)}"]
    if hooks is not None:
        lines += ["[core]", f"\thooksPath = {_quoted(str(hooks))}"]
    return "\n".join(lines) + "\n"


def _quoted(value: str) -> str:
    """A value as git's configuration has it."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'
