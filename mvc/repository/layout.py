"""What lies where in ``.mvc/``, and laying it down. Owns the names and the format version; upgrades older formats,
refuses newer ones.

``init`` builds the directory beside its place and renames it: it is there whole or not at all.
"""

from __future__ import annotations

import contextlib
import stat
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from mvc.errors import ExistsError, InputError, IntegrityError, NotFoundError, StorageError
from mvc.repository.config import parse_config
from mvc.storage import FileSystem, atomic_write, disk_errors, exists, make_directories, temporary_name

DIRECTORY = ".mvc"
#: storage key of the pointer to the newest operation: the sole commit point
HEAD = "HEAD"
#: what it holds while there is none; so that a lost pointer is not taken for an empty repository
NO_OPERATION = "0" * 64
#: what this mvc writes; it reads every format from 1 on
FORMAT_VERSION = 2
#: files of a template; others in a template's directory are not taken over
TEMPLATE = ("config.toml", "policy.toml", "gitattributes")

_DIRECTORIES = ("objects", "packs", "locks", "index", "quarantine")


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths in one repository's ``.mvc`` directory."""

    directory: Path

    @property
    def format(self) -> Path:
        return self.directory / "format"

    @property
    def config(self) -> Path:
        return self.directory / "config.toml"

    @property
    def policy(self) -> Path:
        return self.directory / "policy.toml"

    @property
    def gitattributes(self) -> Path:
        return self.directory / "gitattributes"

    @property
    def locks(self) -> Path:
        return self.directory / "locks"

    @property
    def index(self) -> Path:
        """The SQL index's file; the directory is the index's own, and may be deleted at any time."""
        return self.directory / "index" / "index.sqlite"

    @property
    def replayed(self) -> Path:
        """What operations add up to, kept beside the index; may be deleted at any time."""
        return self.directory / "index" / "state"

    @property
    def training(self) -> Path:
        """States that an interrupted training goes on from; made when needed, and may be deleted at any time."""
        return self.directory / "training"

    @property
    def scratch(self) -> Path:
        """Checkpoints on their way from a training into the repository; made when needed, and swept by age."""
        return self.directory / "scratch"

    @property
    def quarantine(self) -> Path:
        return self.directory / "quarantine"


def read_template(fs: FileSystem, template: Path | None) -> dict[str, bytes]:
    """name → content of the template's files; None: the one shipped with mvc.

    Raises InputError for a template that lacks config.toml or whose config.toml cannot be used.
    """
    shipped = files("mvc.repository") / "template"
    found = {name: (shipped / name).read_bytes() for name in TEMPLATE}
    if template is not None:
        for name in TEMPLATE:
            with disk_errors(template / name, "read"), contextlib.suppress(FileNotFoundError):
                found[name] = fs.read(template / name)
        if not exists(fs, template / "config.toml"):
            raise InputError(f"{str(template)!r} is no template: it has no config.toml", hint="name another directory")
    parse_config(found["config.toml"], "the template's config.toml")
    return found


def create_layout(fs: FileSystem, root: Path, template: dict[str, bytes]) -> Layout:
    """Lays down ``root/.mvc`` durably. Raises ExistsError where it is there already."""
    target = root / DIRECTORY
    with disk_errors(target, "create"):
        make_directories(fs, root)
        if exists(fs, target):
            raise _already(root)
        building = root / f"{DIRECTORY}-{temporary_name(root).name}"
        fs.make_directory(building)
        contents = {
            "format": f"{FORMAT_VERSION}\n".encode(),
            HEAD: f"{NO_OPERATION}\n".encode(),
            ".gitignore": b"*\n",
            **template,
        }
        try:
            for name in _DIRECTORIES:
                fs.make_directory(building / name)
            for name, content in contents.items():
                atomic_write(fs, building / name, (content,), overwrite=False)
            fs.fsync_directory(building)
            try:
                fs.rename_directory(building, target)
            except (FileExistsError, NotADirectoryError):
                raise _already(root) from None
        except Exception:
            _remove(fs, building)
            raise
        fs.fsync_directory(root)
    return Layout(target)


def find_root(start: Path) -> Path:
    """The nearest directory at or above ``start`` that holds a ``.mvc`` directory. Raises NotFoundError."""
    start = start.absolute()
    for directory in (start, *start.parents):
        if (directory / DIRECTORY).is_dir():
            return directory
    raise NotFoundError(f"{str(start)!r} is not in an mvc repository", hint="run: mvc init", code="no-repository")


def check_layout(fs: FileSystem, layout: Layout) -> int:
    """The format of the repository, 1 to FORMAT_VERSION.

    Raises NotFoundError where there is none, InputError for a newer format, IntegrityError for a damaged format file.
    """
    try:
        if not stat.S_ISDIR(layout.directory.stat().st_mode):
            raise NotADirectoryError
    except (FileNotFoundError, NotADirectoryError):
        message = f"{str(layout.directory.parent)!r} is not an mvc repository"
        raise NotFoundError(message, hint="run: mvc init", code="no-repository") from None
    try:
        with disk_errors(layout.format, "read"):
            text = fs.read(layout.format, 0, 64).decode("ascii", "replace").strip()
    except StorageError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            message = f"{str(layout.directory)!r} has no format file"
            raise IntegrityError(
                message, hint=f"restore .mvc/format from a backup; its content is: {FORMAT_VERSION}"
            ) from None
        raise
    if not text.isdecimal() or int(text) < 1:
        raise IntegrityError(f"{str(layout.format)!r} is damaged", hint=f"its content should be: {FORMAT_VERSION}")
    if int(text) > FORMAT_VERSION:
        raise InputError(
            f"the repository has format {text}; this mvc reads formats 1 to {FORMAT_VERSION}",
            hint="run: pip install --upgrade modelvc",
            code="newer-format",
        )
    return int(text)


def upgrade_layout(fs: FileSystem, layout: Layout) -> None:
    """Makes the repository one of FORMAT_VERSION, durably. Needs its lock, and comes before all that is written.

    Each format is a superset of those before it, so there is little to change. Raises as `check_layout`.
    """
    if check_layout(fs, layout) < FORMAT_VERSION:
        make_directories(fs, layout.directory / "packs")
        atomic_write(fs, layout.format, (f"{FORMAT_VERSION}\n".encode(),), overwrite=True)


def _already(root: Path) -> ExistsError:
    return ExistsError(f"{str(root)!r} is already an mvc repository", hint="use it, or name another directory")


def _remove(fs: FileSystem, building: Path) -> None:
    """Takes away a half-built repository, as far as the disk lets it."""
    with contextlib.suppress(OSError):
        for name in fs.list_directory(building):
            if stat.S_ISDIR(fs.stat(building / name).st_mode):
                fs.remove_directory(building / name)
            else:
                fs.unlink(building / name)
        fs.remove_directory(building)
