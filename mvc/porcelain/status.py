"""Which checkpoints lie in a directory, and which of them are committed. Owns the comparison with what is recorded.

A checkpoint is committed if a commit has the same files, by size and digest, wherever they lay. A pointer is an entry
of its own, beside that of its file, which may be missing or another one. Files are hashed only where their size occurs
in the repository, and once: their digests are remembered (`mvc.porcelain.digests`).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from mvc.errors import MvcError, NotFoundError
from mvc.formats import Found, checkpoint_with, digest_of, find_checkpoints, open_checkpoint, printable
from mvc.index import CommitRow, FileRow, Reader, SettingRow
from mvc.objects import ObjectId
from mvc.porcelain.declarations import gone_in
from mvc.porcelain.digests import Digests
from mvc.porcelain.pointers import Content, read_pointer, target_path
from mvc.porcelain.progress import Report, silent
from mvc.porcelain.results.states import StatusEntry, StatusResult
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository
from mvc.storage import exists

Rows: TypeAlias = Sequence[Sequence[Any]]


def status(
    workspace: Workspace, paths: Sequence[Path] = (), *, directory: Path = Path(), progress: Report = silent
) -> StatusResult:
    """State of every checkpoint at or under ``paths`` (``directory`` unless given), by path. One of a checkpoint's
    several files stands for that.

    Raises NotFoundError for a path that is not there.
    """
    repository = workspace.repository
    known = _Known(workspace)
    digests = Digests(repository)
    entries: dict[str, StatusEntry] = {}
    for path in paths or (directory,):
        if not exists(repository.fs, path):
            raise NotFoundError(f"there is no {str(path)!r}", hint="list what is here with: mvc status")
        whole = None if path.is_dir() else checkpoint_with(path)
        for found in find_checkpoints(path) if whole is None or whole.path == path else [whole]:
            progress(len(entries), None, found.path.name)
            entries[str(found.path)] = _entry(repository, found, known, digests)
    digests.save()
    return StatusResult(tuple(entries[path] for path in sorted(entries)))


def _entry(repository: Repository, found: Found, known: _Known, digests: Digests) -> StatusEntry:
    path = str(found.path)
    if found.state == "pointer":
        return _pointed(found.path, known, digests)
    if found.state != "complete":
        return StatusEntry(path, found.state, found.reason)
    try:
        content = _content(found.path, known.sizes, digests)
    except MvcError as error:
        return StatusEntry(path, "bad", error.message)
    if content is not None and content in known.contents:
        commit = known.contents[content]
        return StatusEntry(path, "committed", "its tensors were given up" if commit in known.gone else "", commit)
    before = known.paths.get(_recorded(repository, found.path))
    if before is not None:
        return StatusEntry(path, "changed", commit=before)
    return StatusEntry(path, "new")


def _pointed(path: Path, known: _Known, digests: Digests) -> StatusEntry:
    """How the file stands that a pointer stands for."""
    try:
        pointer = read_pointer(path)
        target = target_path(path)
    except MvcError as error:
        return StatusEntry(str(path), "bad", error.message)
    commit, held = pointer.commit, known.held.get(pointer.commit)
    if held is None:
        return StatusEntry(str(path), "blocked", f"commit {commit[:12]} is not in this repository", commit)
    if not pointer.matches(held):
        return StatusEntry(str(path), "bad", f"its size or hash is not that of commit {commit[:12]}", commit)
    if not os.path.lexists(target):
        return StatusEntry(str(path), "missing", f"{printable(target.name)} is not here", commit)
    try:
        content = _content(target, known.sizes, digests)
    except MvcError as error:
        return StatusEntry(str(path), "differs", error.message, commit)
    if content is not None and pointer.matches(content):
        return StatusEntry(str(path), "present", commit=commit)
    other = None if content is None else known.contents.get(content)
    found = "not committed" if other is None else f"commit {other[:8]}"
    reason = f"{printable(target.name)} is not what commit {commit[:8]} holds, but {found}"
    return StatusEntry(str(path), "differs", reason, commit)


def _recorded(repository: Repository, path: Path) -> str:
    """A path as commits record it."""
    absolute = Path(os.path.abspath(path))
    root = Path(os.path.abspath(repository.root))
    return absolute.relative_to(root).as_posix() if absolute.is_relative_to(root) else str(absolute)


def _content(path: Path, sizes: frozenset[int], digests: Digests) -> Content | None:
    """Files of a checkpoint with their digests; None where a size alone says that it was never committed."""
    if (content := digests.content(path)) is not None:
        return content
    with open_checkpoint(path) as opened:
        if any(file.size not in sizes for _, file in opened.files):
            return None
        found = ((name, file.size, digests.of(file.path, partial(digest_of, file))) for name, file in opened.files)
        return tuple(sorted(found))


class _Known:
    """Everything committed: commit → content, content and recorded path → newest commit, sizes of files."""

    def __init__(self, workspace: Workspace) -> None:
        commits, files, settings = workspace.look_up(_read)
        held: dict[ObjectId, list[tuple[str, int, str]]] = {}
        for manifest, *file in files:
            held.setdefault(manifest, []).append(tuple(file))
        self.held: dict[ObjectId, Content] = {
            commit: tuple(sorted(held.get(manifest, ()))) for commit, manifest, _ in commits
        }
        self.gone = frozenset(gone_in(settings))
        # of several commits with the same content the newest that has its tensors
        ranked = sorted(self.held.items(), key=lambda item: item[0] not in self.gone)
        self.contents = {content: commit for commit, content in ranked}
        self.paths: dict[str, ObjectId] = {path: commit for commit, _, path in commits}
        self.sizes = frozenset(size for _, _, size, _ in files)


def _read(reader: Reader) -> tuple[Rows, Rows, Sequence[SettingRow]]:
    """Commits with manifest and path, in order of arrival, files with size and digest, settings."""
    return (
        CommitRow.pick(reader, "id", "manifest", "path", ordered_by=("arrival",)),
        FileRow.pick(reader, "manifest", "path", "size", "digest"),
        SettingRow.find(reader),
    )
