"""Pointer files: a few lines of text that stand for a committed checkpoint, for git to carry in its stead.

Owns their text, reading it (bounded, strict, never a guess) and finding the commit that one names. The format is in
``docs/internals/pointer-format.md``; writing pointers beside checkpoints is `mvc.porcelain.pointing`'s.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import blake3

from mvc.errors import FormatError, InputError, MvcError, NotFoundError
from mvc.formats import MVC_POINTER_MAGIC, POINTER_SUFFIX, READABLE, open_opaque, printable, sniff_path
from mvc.index import CommitRow, FileRow, Reader
from mvc.objects import ObjectId, canonical
from mvc.porcelain.workspace import Workspace

#: path in the checkpoint, size and digest of every file
Content = tuple[tuple[str, int, str], ...]

#: no pointer is longer; what is, is not even read
LIMIT = 1024

_TEXT = re.compile(
    re.escape(MVC_POINTER_MAGIC) + rb"commit ([0-9a-f]{64})\n"
    rb"size (0|[1-9][0-9]{0,17})\n"
    rb"hash blake3:([0-9a-f]{64})\n"
    rb"(?:files ([1-9][0-9]{0,8})\n)?"
)
_OTHER_VERSION = re.compile(rb"version https://modelvc\.dev/spec/v(?!1\n)[0-9]{1,9}\n")
_CONFLICT = re.compile(rb"^(<{7} |={7}$|>{7} )", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Pointer:
    """The commit it names, and what that must hold: size in bytes and BLAKE3, of the file as it is checked out.

    A checkpoint of several files has ``files`` of them; ``size`` is their sum and ``digest`` is over the list of them
    (`content_digest`). ``files`` is 0 for a checkpoint that is one file.
    """

    commit: ObjectId
    size: int
    digest: str
    files: int = 0

    @classmethod
    def of(cls, commit: ObjectId, content: Content) -> Pointer:
        """The pointer to a commit with this content."""
        single = _is_single(content)
        size = sum(size for _, size, _ in content)
        return cls(commit, size, content_digest(content), 0 if single else len(content))

    def matches(self, content: Content) -> bool:
        """Whether this is what the pointer stands for."""
        return self == Pointer.of(self.commit, content)

    def to_bytes(self) -> bytes:
        """What the file holds."""
        files = f"files {self.files}\n" if self.files else ""
        text = f"commit {self.commit}\nsize {self.size}\nhash blake3:{self.digest}\n{files}"
        return MVC_POINTER_MAGIC + text.encode("ascii")


def content_digest(content: Content) -> str:
    """One hash for a checkpoint, hex: of a single file its own; of several the BLAKE3 of their list, sorted by path, as
    canonical JSON ``[[path, size, digest], ...]``."""
    if _is_single(content):
        return content[0][2]
    return blake3.blake3(canonical.encode([list(file) for file in sorted(content)])).hexdigest()


def pointer_path(path: Path) -> Path:
    """Where the pointer of the checkpoint under ``path`` lies: beside it. Raises InputError for a path without name."""
    named = path if path.name not in ("", "..") else Path(os.path.abspath(path))
    if not named.name:
        raise InputError(f"{printable(path)} cannot have a pointer beside it", hint="name a checkpoint file")
    return named.with_name(named.name + POINTER_SUFFIX)


def target_path(pointer: Path) -> Path:
    """Where the checkpoint lies that a pointer under this path stands for. Raises InputError."""
    name = pointer.name.removesuffix(POINTER_SUFFIX)
    if name == pointer.name or name in ("", ".", ".."):
        raise InputError(
            f"{printable(pointer)} does not say by its name what to call the checkpoint",
            hint="name the file to write with -o PATH",
        )
    return pointer.with_name(name)


def is_pointer(path: Path) -> bool:
    """Whether a path leads to a pointer: by its first line, or by its name unless it is a checkpoint file."""
    if not path.is_file():
        return False
    try:
        kind = sniff_path(path)
    except MvcError:
        kind = "foreign"
    return kind == "mvc-pointer" or (path.name.endswith(POINTER_SUFFIX) and kind not in READABLE)


def was_pointer(path: Path) -> bool:
    """Whether a pointer, be it damaged, or in conflict, is all that a file holds: nothing is lost with it."""
    try:
        with open_opaque(path) as file:
            return file.size <= 4 * LIMIT and (not file.size or MVC_POINTER_MAGIC in file.read_raw(0, file.size))
    except MvcError:
        return False


def read_pointer(path: Path) -> Pointer:
    """Raises FormatError (code "bad-pointer") for what is no pointer, NotFoundError."""
    with open_opaque(path) as file:
        if file.size > LIMIT:
            raise _bad(path, f"has {file.size:,} bytes", "name a pointer that mvc commit --pointer wrote")
        return parse_pointer(file.read_raw(0, file.size), path)


def parse_pointer(content: bytes, name: Path | str = "the pointer") -> Pointer:
    """The pointer that these bytes are; ``name`` is for the error. Raises FormatError (code "bad-pointer")."""
    match = _TEXT.fullmatch(content) if len(content) <= LIMIT else None
    if match is not None:
        commit, size, digest, files = match.groups()
        return Pointer(ObjectId(commit.decode()), int(size), digest.decode(), int(files or 0))
    if _OTHER_VERSION.match(content):
        raise _bad(name, "was written by a newer mvc", "run: pip install --upgrade modelvc")
    if _CONFLICT.search(content[:LIMIT]):
        hint = "take one side: git checkout --ours FILE (or --theirs), then git add FILE"
        raise _bad(name, "holds both sides of a merge conflict", hint)
    raise _bad(name, "is not one that mvc wrote", "take it from git again: git checkout -- FILE")


def resolve_pointer(workspace: Workspace, path: Path) -> ObjectId:
    """The commit that the pointer under ``path`` names.

    Raises FormatError for what is no pointer or contradicts its commit, NotFoundError (code "unknown-commit") where the
    repository does not have that commit.
    """
    pointer = read_pointer(path)
    return workspace.look_up(lambda reader: find_pointed(reader, pointer, path))


def find_pointed(reader: Reader, pointer: Pointer, path: Path) -> ObjectId:
    """As `resolve_pointer`, for a pointer that was read from ``path``."""
    rows = CommitRow.find(reader, id=pointer.commit)
    if not rows:
        raise NotFoundError(
            f"{printable(path)} points to commit {pointer.commit[:12]}, which this repository does not have",
            hint="bring over the .mvc directory that has it, or commit the weights here",
            code="unknown-commit",
        )
    files = FileRow.find(reader, manifest=rows[0].manifest)
    if not pointer.matches(content_of(files)):
        hint = "take the pointer from git again, or write it anew with: mvc commit --pointer FILE"
        raise _bad(path, f"names commit {pointer.commit[:12]}, and a size or hash that is not that commit's", hint)
    return rows[0].id


def check_pointed(path: Path) -> None:
    """Raises NotFoundError for a path that is not there while its pointer is."""
    if path.name not in ("", "..") and not path.exists() and is_pointer(pointer_path(path)):
        pointer = printable(pointer_path(path))
        message = f"{printable(path)} is not here; its pointer {pointer} is"
        raise NotFoundError(message, hint=f"bring it back with: mvc checkout {pointer}", code="not-fetched")


def content_of(files: Iterable[FileRow]) -> Content:
    """The content that the index records of one manifest."""
    return tuple(sorted((row.path, row.size, row.digest) for row in files))


def _is_single(content: Content) -> bool:
    return len(content) == 1 and content[0][0] == ""


def _bad(name: Path | str, what: str, hint: str) -> FormatError:
    shown = printable(name) if isinstance(name, Path) else name
    return FormatError(f"{shown} is no usable pointer: it {what}", hint=hint, code="bad-pointer")
