"""Imports the checkpoints of a git repository's past: those that git has, that Git LFS has and that DVC has.

Owns which files of which git commits are looked at, what is declared of them, and what is told of those that cannot be
imported. Git commits are taken the oldest first; author, time and message of each, and its id under "git", are declared
of its checkpoints. Each is a transaction of its own: an import that was stopped goes on where it was. Nothing of the
git repository is changed or run.
"""

from __future__ import annotations

import shlex
import tempfile
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from itertools import cycle, groupby
from os import fsencode
from pathlib import Path

from mvc.errors import InputError, PointerError
from mvc.index import CommitRow, Connection, LineageRow, PlacementRow, chunked
from mvc.integrations.git.dvc import LOCK, PIPELINE, DvcFiles, cache_of, is_list, read_list
from mvc.integrations.git.extract import Extracted, Files, extract
from mvc.integrations.git.models import models
from mvc.integrations.git.reading import Blob, GitCommit, GitRepository
from mvc.integrations.git.results import HistoryEntry, HistoryResult, HistoryState
from mvc.objects import ObjectId
from mvc.porcelain.commits import MAX_TEXT, Declared, commit
from mvc.porcelain.progress import Report, interruptible, silent
from mvc.porcelain.workspace import Workspace

#: names under which nothing but weights is kept
_WEIGHTS = (".safetensors", ".pt", ".pth", ".ckpt", ".npz", ".pth.tar")
#: checkpoints that stay in the scratch directory after they were committed: the next one may rest on so many
_KEPT = 2


def import_history(
    git: GitRepository,
    workspace: Workspace,
    *,
    revisions: Sequence[str] = ("HEAD",),
    paths: Sequence[str] = (),
    progress: Report | None = None,
) -> HistoryResult:
    """Commits every checkpoint of the git commits that lead to ``revisions``; with ``paths``, globs over paths from the
    top or over names, only those that match. What was imported before is not read again.

    Raises InputError where git knows no such revision, BusyError and StorageError; what was imported till then stays.
    """
    report = progress or silent
    commits = git.commits_to([_tip(git, revision) for revision in revisions])
    entries: list[HistoryEntry] = []
    place = {commit_id: number for number, commit_id in enumerate(commits)}
    kept = "what was imported stays; the same command goes on from there"
    with interruptible(lambda: kept), tempfile.TemporaryDirectory(prefix="mvc-history-") as name:
        importer = _Importer(git, workspace, tuple(paths), Path(name).resolve())
        for commit_id, blobs in groupby(git.changes_of(commits), lambda blob: blob.commit):
            report(place[commit_id], len(commits), commit_id[:8])
            entries += importer.take(commit_id, [blob for blob in blobs if blob.id])
    report(len(commits), len(commits), "")
    shallow = git.ask("rev-parse", "--is-shallow-repository") == b"true\n"
    return HistoryResult(
        directory=str(git.directory),
        commits=len(commits),
        entries=tuple(entries),
        skipped=len(importer.skipped),
        lineages=_lineages(workspace, sorted({entry.commit for entry in entries if entry.commit})),
        warnings=(f"older git commits are not here; run: git{_where(git)} fetch --unshallow",) if shallow else (),
    )


class _Importer:
    """One import. ``skipped`` counts what an earlier one had brought."""

    def __init__(self, git: GitRepository, workspace: Workspace, paths: tuple[str, ...], scratch: Path) -> None:
        self._git, self._workspace, self._paths = git, workspace, paths
        self._seen: set[tuple[str, ...]] = set()
        self._done = workspace.read(_imported)
        self._new: set[tuple[str, str]] = set()
        self.skipped: set[tuple[str, str]] = set()
        #: the last commits, where their checkpoints lie, and what takes these away when it is closed
        self._held: deque[tuple[str, Path, Generator[Extracted, None, None]]] = deque()
        self._places = cycle(scratch / str(number) for number in range(_KEPT + 1))
        self._place = next(self._places)

    def take(self, commit_id: str, blobs: Sequence[Blob]) -> Iterator[HistoryEntry]:
        """Imports the checkpoints that one git commit brought."""
        lists = [blob for blob in blobs if is_list(blob.path)]
        found: list[tuple[Files, Blob]] = [(self._git, blob) for blob in self._wanted(blobs)]
        for blob in lists:
            try:
                kept, listed = self._listed(blob)
                found += [(kept, file) for file in self._wanted(listed)]
                yield from self._nobodys(kept, blob)
            except InputError as error:
                yield _failure(blob.path, commit_id, error)
        about: GitCommit | None = None
        for files, blob in found:
            directory = blob.path.rpartition("/")[0] or "."
            if before := {(commit_id, blob.path), (commit_id, directory)} & self._done:
                self.skipped |= before - self._new
                continue
            about = about or self._git.about(commit_id)
            try:
                yield from self._import(files, blob, about)
            except InputError as error:
                yield _failure(blob.path, commit_id, error)

    def _wanted(self, blobs: Sequence[Blob]) -> list[Blob]:
        """Those that may be checkpoints, by their names or as asked for."""
        if self._paths:
            return [blob for blob in blobs if any(_matches(blob.path, glob) for glob in self._paths)]
        return models(self._git, blobs)

    def _listed(self, blob: Blob) -> tuple[DvcFiles, list[Blob]]:
        """What a list of DVC's stands for. Raises as `DvcFiles.add`."""
        top = self._git.top if self._git.inside else self._git.directory
        directory, _, name = blob.path.rpartition("/")
        files = DvcFiles(self._git.lfs, cache_of(top, directory))
        pipeline = self._git.file_of(blob.commit, f"{directory}/{PIPELINE}".lstrip("/")) if name == LOCK else None
        said = b"" if pipeline is None else read_list(self._git, pipeline)
        return files, files.add(blob.path, read_list(self._git, blob), blob.commit, said)

    def _nobodys(self, files: DvcFiles, blob: Blob) -> Iterator[HistoryEntry]:
        """What a list names that DVC does not cache, and git does not have either; what git has came from there."""
        for name in sorted(files.own):
            if self._wanted([Blob(blob.commit, name, "")]) and self._git.file_of(blob.commit, name) is None:
                reason = "DVC does not cache it (cache: false), and git does not have it"
                hint = "where such a file is still at hand: mvc commit PATH"
                yield HistoryEntry(recorded_path(name), blob.commit, None, "missing", reason, hint)

    def _import(self, files: Files, blob: Blob, about: GitCommit) -> Iterator[HistoryEntry]:
        """Commits the checkpoint that a file is or belongs to, beside the last ones, which it may rest on."""
        self._place.mkdir(exist_ok=True)
        extracted = extract(files, [blob], self._place, self._seen)
        item = next(extracted, None)
        entries = [] if item is None else list(self._record(item, about))
        yield from entries
        if item is None or item.found is None or not entries or entries[-1].state != "imported":
            extracted.close()
            return
        if len(self._held) == _KEPT:
            self._held.popleft()[-1].close()
        self._held.append((str(entries[-1].commit), item.found.path, extracted))
        self._place = next(self._places)

    def _record(self, item: Extracted, about: GitCommit) -> Iterator[HistoryEntry]:
        """Commits one checkpoint, if it is one."""
        found, path = item.found, recorded_path(item.path)
        if found is None and path.endswith(_WEIGHTS):
            yield HistoryEntry(path, about.id, None, "refused", "it is named as weights are, and is no checkpoint")
        if found is None or found.state == "pointer":
            return
        if found.state != "complete":
            state: HistoryState = "missing" if found.state == "blocked" else "refused"
            hint = f"run: git{_where(self._git)} lfs fetch --all" if state == "missing" else ""
            reason = "a Git LFS pointer whose object is not here" if state == "missing" else item.told(found.reason)
            yield HistoryEntry(path, about.id, None, state, reason, hint)
            return
        told = Declared(
            path=path,
            author=about.author,
            time=about.time,
            message=about.message[:MAX_TEXT],
            extra={"git": about.id},
        )
        lying = {earlier: place for earlier, place, _ in self._held}
        try:
            row = commit(self._workspace, [found.path], search=False, each=lambda _: told, lying=lying).commits[0]
        except InputError as error:
            yield HistoryEntry(path, about.id, None, "refused", item.told(error.message), item.told(error.hint))
            return
        self._done.add((about.id, path))
        self._new.add((about.id, path))
        known = row.relation in ("duplicate", "restores")
        yield HistoryEntry(path, about.id, row.id, "known" if known else "imported")


def recorded_path(path: str) -> str:
    """A path of git's, whose bytes need not be text, as commits record it."""
    return fsencode(path).decode("utf-8", "backslashreplace")


def _tip(git: GitRepository, revision: str) -> str:
    found = git.commit_of(revision)
    if found is None:
        hint = f"list branches with: git{_where(git)} branch --all"
        raise InputError(f"git has no commit {revision!r}", hint=hint, code="no-such-revision")
    return found


def _matches(path: str, glob: str) -> bool:
    return fnmatchcase(path, glob) or fnmatchcase(path.rpartition("/")[2], glob)


def _where(git: GitRepository) -> str:
    """For a command of git's that is to be run from somewhere else."""
    return "" if git.directory == Path.cwd() else f" -C {shlex.quote(str(git.directory))}"


def _failure(path: str, commit_id: str, error: InputError) -> HistoryEntry:
    state: HistoryState = "missing" if isinstance(error, PointerError) else "refused"
    return HistoryEntry(recorded_path(path), commit_id, None, state, error.message, error.hint)


def _imported(connection: Connection) -> set[tuple[str, str]]:
    """Git's commit and path of everything that came from git commits."""
    rows = CommitRow.select(connection, CommitRow.TABLE.c.extra.contains('"git"'))
    return {(row.extra["git"], row.path) for row in rows if "git" in row.extra}


def _lineages(workspace: Workspace, commits: Iterable[str]) -> tuple[str, ...]:
    """Names of the lineages that these commits are in."""

    def read(connection: Connection) -> tuple[str, ...]:
        names = {row.id: row.name for row in LineageRow.select(connection)}
        ids = set()
        for piece in chunked(map(ObjectId, commits)):
            ids |= {row.lineage for row in PlacementRow.select(connection, PlacementRow.TABLE.c.commit.in_(piece))}
        return tuple(sorted(names[lineage] for lineage in ids))

    return workspace.read(read)
