"""A git repository, read. Owns every question that is put to git, through GitPython, as lists of arguments.

Nothing here changes a repository, not even git's index, and no answer depends on a user's settings. Ids may have 40 or
64 digits; names of files are taken for what they are, bytes. Git's own variables (GIT_DIR, the quarantine of a
push that is being received) reach it as they came.
"""

from __future__ import annotations

import importlib
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from os import fsdecode, fsencode
from pathlib import Path
from typing import Any, BinaryIO

from mvc.errors import InputError, PointerError

_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
#: modes of files, executable or not; links and submodules have others
_FILES = (b"100644", b"100755")
_GONE = b"000000"
#: of a repository that only its own disk is asked about: nothing is fetched, and no program of its settings is run.
#: Which protocols are allowed is said by a variable, as its settings go before those of the command line
_SEALED = ("-c", "core.fsmonitor=false")
_ALONE = {"GIT_ALLOW_PROTOCOL": "", "GIT_NO_LAZY_FETCH": "1"}
#: git commits that one process is asked about
_CHUNK = 512


@dataclass(frozen=True, slots=True)
class Blob:
    """A file in one git commit (``commit``): its path from the top and the id of its content, "" where it is gone."""

    commit: str
    path: str
    id: str


@dataclass(frozen=True, slots=True)
class GitCommit:
    """Who made a git commit and when (UTC, None for a time that no calendar has), and all of its message."""

    id: str
    author: str
    time: datetime | None
    message: str


def is_id(text: str) -> bool:
    """Whether this is a full git id that names something: 40 or 64 digits, not all of them zero."""
    return _ID.fullmatch(text) is not None and bool(text.strip("0"))


class GitRepository:
    """The git repository around ``directory``. Raises InputError where there is none, or git refuses to look at it.
    A ``sealed`` one is somebody else's: what a partial clone lacks is not fetched, and nothing it names is run."""

    def __init__(self, directory: Path, *, sealed: bool = False) -> None:
        self.directory = directory.absolute()
        self._options = ("--no-optional-locks", *(_SEALED if sealed else ()))
        try:
            module: Any = importlib.import_module("git")  # slow to import, and useless without the program
        except ImportError:
            raise InputError("git cannot be run", hint="install git, and see that it is on PATH") from None
        self._git = module.Git(str(self.directory))
        self._git.update_environment(**(_ALONE if sealed else {}))
        self._failed: tuple[type[Exception], ...] = (module.GitCommandError, module.GitCommandNotFound)
        questions = ("--is-inside-work-tree", "--is-bare-repository", "--git-dir", "--git-common-dir")
        answer = self.ask("rev-parse", *questions, "--git-path", "hooks")
        inside, bare, private, common, hooks = fsdecode(answer).removesuffix("\n").split("\n")
        self.inside = inside == "true"
        self.bare = bare == "true"
        #: this working tree's git directory, the one that all its working trees share, and the one of its hooks
        self.private = self.directory / private
        self.common = (self.directory / common).resolve()
        self.hooks = self.directory / hooks

    def ask(self, *arguments: str, stdin: Iterable[bytes] = ()) -> bytes:
        """What ``git ARGUMENTS`` prints. Raises InputError with git's own words."""
        try:
            with tempfile.TemporaryFile() as file:
                file.writelines(stdin)
                file.seek(0)
                return bytes(self._run(arguments, istream=file, stdout_as_string=False, strip_newline_in_stdout=False))
        except self._failed as error:
            words = str(getattr(error, "stderr", "")).strip().removeprefix("stderr: ").strip("'\n ")
            lines = words.removeprefix("fatal: ").splitlines() or [f"git {arguments[0]} failed"]
            hint = " ".join(map(str.strip, lines[1:]))
            if lines[0].startswith("not a git repository"):
                hint = "name the directory of one, or make one with: git init"
            raise InputError(f"git: {lines[0]}", hint=hint, code="git") from None

    def finds(self, *arguments: str) -> bytes | None:
        """The same, or None where git has no answer."""
        try:
            return self.ask(*arguments)
        except InputError:
            return None

    def _run(self, arguments: Sequence[str], **options: Any) -> Any:
        return self._git.execute(["git", *self._options, *arguments], shell=False, **options)

    @cached_property
    def top(self) -> Path:
        """Top of the working tree. Raises InputError where there is none."""
        return Path(fsdecode(self.ask("rev-parse", "--show-toplevel").removesuffix(b"\n")))

    @cached_property
    def lfs(self) -> Path:
        """Where git-lfs keeps objects, by all of git's settings."""
        told = self.finds("config", "--get", "lfs.storage") or b""
        return self.common / (fsdecode(told.removesuffix(b"\n")) or "lfs")

    def commit_of(self, revision: str) -> str | None:
        """Id of the commit that an id, a tag or a name leads to; None for anything else, or what is not here."""
        found = self.finds("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        return None if found is None else found.decode("ascii").strip()

    def new_blobs(self, commits: Sequence[str], but: Sequence[str]) -> list[Blob]:
        """Files as the commits that lead to ``commits`` and not to ``but`` (ids, or options of rev-list such as
        ``--remotes``) left them, or took them away. Of a merge only what none of its parents has."""
        if not commits:
            return []
        listed = self.ask("rev-list", "--reverse", *commits, *(("--not", *but) if but else ()))
        return self._changes(listed.splitlines(keepends=True))

    def blobs_of(self, commit: str) -> list[Blob]:
        """Files that one commit left, changed from its parents."""
        return [blob for blob in self._changes([commit.encode("ascii") + b"\n"]) if blob.id]

    def commits_to(self, tips: Sequence[str]) -> list[str]:
        """Ids of the commits that lead to ``tips`` (ids), a parent before its children, else the oldest first."""
        return self.ask("rev-list", "--reverse", "--topo-order", *tips).decode("ascii").split()

    def changes_of(self, commits: Sequence[str]) -> Iterator[Blob]:
        """Files as each of these commits left them, or took them away. Of a merge only what none of its parents has."""
        for start in range(0, len(commits), _CHUNK):
            yield from self._changes([f"{commit}\n".encode("ascii") for commit in commits[start : start + _CHUNK]])

    def about(self, commit: str) -> GitCommit:
        """What a commit (its id) says of itself."""
        form = "--format=%an <%ae>%n%at%n%B"
        told = self.ask("log", "-1", "--no-show-signature", "--no-mailmap", "--encoding=UTF-8", form, commit)
        author, seconds, message = told.decode("utf-8", "replace").split("\n", 2)
        try:
            time = datetime.fromtimestamp(int(seconds), UTC)
        except (ValueError, OverflowError, OSError):
            time = None
        return GitCommit(commit, author, time, message.strip("\n"))

    def changed(self, before: str, after: str) -> list[Blob]:
        """Files of ``after`` that are not the same in ``before``."""
        tree = self.ask("diff-tree", "-r", "--raw", "-z", "--no-renames", "--no-abbrev", before, after)
        return [blob for blob in _parse_changes(tree, after) if blob.id]

    def _changes(self, commits: Sequence[bytes]) -> list[Blob]:
        options = ("--stdin", "--root", "-r", "-c", "--raw", "-z", "--no-renames", "--no-abbrev")
        return list(_parse_changes(self.ask("diff-tree", *options, stdin=commits), ""))

    def tracked(self) -> list[Blob]:
        """Every file in git's index."""
        listed = self.ask("-C", str(self.top), "ls-files", "--stage", "-z")
        entries = (entry.partition(b"\t") for entry in listed.split(b"\0") if entry)
        files = ((head.split(), name) for head, _, name in entries)
        return [Blob("", fsdecode(name), head[1].decode("ascii")) for head, name in files if head[0] in _FILES]

    def files_in(self, commit: str, directory: str, *, below: bool = False) -> list[Blob]:
        """Files in a directory of a commit ("" is the top); with ``below``, in those in it too."""
        options = ("ls-tree", "-z", "--full-tree", *(("-r",) if below else ()))
        place = ("--", f"{directory}/") if directory else ()
        listed = self.ask("--literal-pathspecs", *options, commit, *place)
        entries = (entry.partition(b"\t") for entry in listed.split(b"\0") if entry)
        files = ((head.split(), name) for head, _, name in entries)
        return [Blob(commit, fsdecode(name), head[2].decode("ascii")) for head, name in files if head[0] in _FILES]

    def file_of(self, commit: str, path: str) -> Blob | None:
        """A file of a commit; None where there is none, or a directory."""
        directory = path.rpartition("/")[0]
        return next((blob for blob in self.files_in(commit, directory) if blob.path == path), None)

    def modified(self) -> set[str]:
        """Files, from the top, that are not in the working tree as HEAD has them."""
        # not diff-index: to that, a file that was touched is changed
        options = ("diff", "--name-only", "--no-ext-diff", "--no-renames", "--no-relative", "-z")
        listed = self.ask("-C", str(self.top), *options, "HEAD")
        return {fsdecode(name) for name in listed.split(b"\0") if name}

    def carries(self, path: Path) -> bool:
        """Whether git tracks a file of the working tree, or any in a directory of it."""
        listed = self.finds("--literal-pathspecs", "-C", str(self.top), "ls-files", "-z", "--", str(path))
        return bool(listed)  # no answer: the path lies elsewhere

    def with_attribute(self, paths: Sequence[str], attribute: str, value: str) -> set[str]:
        """Those of these files for which .gitattributes sets ``attribute`` to ``value``."""
        if not paths:
            return set()
        place = ("-C", str(self.top)) if self.inside else ()
        names = (fsencode(path) + b"\0" for path in paths)
        told = self.ask(*place, "check-attr", "--stdin", "-z", attribute, stdin=names)
        words = told.split(b"\0")
        found = zip(words[0::3], words[2::3], strict=False)
        return {fsdecode(path) for path, what in found if what == value.encode()}

    def write_blob(self, blob_id: str, target: BinaryIO) -> None:
        """Copies a blob's content into an open file, a piece at a time."""
        try:
            self._run(("cat-file", "blob", blob_id), output_stream=target, max_chunk_size=1 << 20)
        except self._failed:
            message = f"git does not have the object {blob_id}"
            hint = "run: git fsck (in a partial clone: git fetch --refetch --no-filter)"
            raise PointerError(message, hint=hint) from None


def _parse_changes(raw: bytes, commit: str) -> Iterator[Blob]:
    """Files that ``git diff-tree --raw -z`` names.

    One parent: ``:MODE MODE ID ID STATUS``; n parents: n colons, n + 1 modes, n + 1 ids, n letters. The last mode and
    id are those of the commit itself.
    """
    fields = iter(raw.split(b"\0"))
    for field in fields:
        if not field.startswith(b":"):
            commit = field.decode("ascii").strip() or commit
            continue
        parents = len(field) - len(field.lstrip(b":"))
        words = field[parents:].split()
        path = fsdecode(next(fields))
        if words[parents] in _FILES:
            yield Blob(commit, path, words[2 * parents + 1].decode("ascii"))
        elif words[parents] == _GONE:
            yield Blob(commit, path, "")
