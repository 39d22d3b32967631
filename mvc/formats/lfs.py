"""Git LFS pointers, and the objects that they stand for. Owns finding such an object, and trusting it only after its
size and SHA-256 were seen to be those that the pointer names.

Looks where git-lfs keeps objects: ``objects/aa/bb/OID`` in ``lfs``, or where ``lfs.storage`` says, in the git directory
around the file. Runs no git, fetches nothing, and knows of git only where that directory is, and its own settings: not
those of a user or a machine.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from mvc.errors import FormatError, MvcError, NotFoundError, PointerError
from mvc.formats.git_settings import parse_settings
from mvc.formats.sniff import LFS_MAGIC
from mvc.formats.source import FileSource, printable

_LIMIT = 4096
#: bytes of git's settings that are read
_SETTINGS = 1 << 20
_OID = re.compile(rb"^oid sha256:([0-9a-f]{64})$", re.MULTILINE)
_SIZE = re.compile(rb"^size ([0-9]{1,18})$", re.MULTILINE)
_GITDIR = re.compile(r"gitdir: ([^\0\n]+)\n*")


@dataclass(frozen=True, slots=True)
class LfsPointer:
    """What a Git LFS pointer says of the file it stands for: SHA-256 (hex) and size in bytes."""

    oid: str
    size: int


@dataclass(frozen=True, slots=True)
class GitPlace:
    """A git working tree: its ``root``, and the directory ``common`` to all working trees of its repository."""

    root: Path
    common: Path


def parse_lfs_pointer(content: bytes) -> LfsPointer:
    """Raises FormatError for what is no Git LFS pointer."""
    oid, size = _OID.search(content), _SIZE.search(content)
    if not content.startswith(LFS_MAGIC) or len(content) > _LIMIT or oid is None or size is None:
        raise FormatError("a Git LFS pointer is malformed", hint="run: git lfs pointer --check --file FILE")
    return LfsPointer(oid[1].decode(), int(size[1]))


def open_source(path: Path) -> FileSource:
    """The file under ``path``; for a Git LFS pointer the object that it stands for, verified.

    Raises as FileSource; PointerError where the object was not fetched, FormatError (code "bad-lfs-object") where it is
    not what the pointer names.
    """
    source = FileSource(path)
    try:
        if source.size < len(LFS_MAGIC) or source.read(0, len(LFS_MAGIC)) != LFS_MAGIC:
            return source
        pointer = parse_lfs_pointer(bytes(source.read(0, min(source.size, _LIMIT + 1))))
    except BaseException:
        source.close()
        raise
    source.close()
    return _open_object(path, pointer)


def fetched_object(path: Path) -> Path:
    """Where the object lies that the pointer under ``path`` stands for; of its size, its content not yet verified.

    Raises as `open_source`.
    """
    source = FileSource(path)
    try:
        pointer = parse_lfs_pointer(bytes(source.read(0, min(source.size, _LIMIT + 1))))
    finally:
        source.close()
    return _find(path, pointer)


def find_git(path: Path) -> GitPlace | None:
    """The git working tree that a file lies in, wherever links to it come from; None outside of one.

    Follows a ``.git`` file (linked working trees, submodules) and a linked working tree's ``commondir``.
    """
    for directory in Path(path).resolve().parents:
        git = directory / ".git"
        if git.is_file():
            match = _GITDIR.fullmatch(_small_text(git))
            git = directory / match[1] if match else git
        if (git / "HEAD").is_file():
            common = _small_text(git / "commondir").rstrip("\n")
            return GitPlace(directory, git / common if common else git)
    return None


def lfs_storage(common: Path) -> Path:
    """Where git-lfs keeps objects for a git directory, by that one's own settings."""
    return common / (parse_settings(_small_text(common / "config", _SETTINGS)).get("lfs.storage") or "lfs")


def _find(path: Path, pointer: LfsPointer) -> Path:
    place = find_git(path)
    name = Path("objects", pointer.oid[:2], pointer.oid[2:4], pointer.oid)
    found = None if place is None else lfs_storage(place.common) / name
    if found is None or not found.is_file():
        raise PointerError(
            f"{printable(path)} is a Git LFS pointer; the weights were not fetched", hint=f"run: {_fetch(path, place)}"
        )
    if found.stat().st_size != pointer.size:
        raise _damaged(path, found, place)
    return found


def _open_object(path: Path, pointer: LfsPointer) -> FileSource:
    found = _find(path, pointer)
    source = FileSource(found)
    try:
        if source.size != pointer.size or _sha256(found, source.stamp) != pointer.oid:
            raise _damaged(path, found, find_git(path))
    except BaseException:
        source.close()
        raise
    return source


@lru_cache(maxsize=4096)
def _sha256(path: Path, stamp: tuple[int, ...]) -> str:
    """Of a file that has this stamp: a command opens its checkpoints more than once, and hashes them once."""
    source = FileSource(path)
    try:
        hasher = hashlib.sha256()
        for chunk in source.chunks(0, source.size):
            hasher.update(chunk)
        return hasher.hexdigest() if source.stamp == stamp else ""
    finally:
        source.close()


def _fetch(path: Path, place: GitPlace | None) -> str:
    """The command that fetches what belongs under ``path``."""
    real = path.resolve()
    name = real.name if place is None else real.relative_to(place.root).as_posix()
    return f"git lfs pull --include {printable(name)}"


def _damaged(path: Path, found: Path, place: GitPlace | None) -> FormatError:
    return FormatError(
        f"{printable(path)} is a Git LFS pointer, and {printable(found)} is not the object that it names",
        hint=f"remove that object, then run: {_fetch(path, place)}",
        code="bad-lfs-object",
    )


def _small_text(path: Path, most: int = _LIMIT) -> str:
    """A small file of git's; nothing where it cannot be read."""
    try:
        source = FileSource(path)
    except (FormatError, NotFoundError):
        return ""
    try:
        return bytes(source.read(0, min(source.size, most))).decode("utf-8", "surrogateescape")
    except MvcError:
        return ""
    finally:
        source.close()
