"""The git-like part: objects, and the chain of operations that says which of them count. Owns the write order.

Every change is one operation: its objects first, then the operation object, then, as the sole commit point, one
compare-and-swap of the pointer ``HEAD``. ``docs/internals/write-order.md`` says what each crash leaves behind.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Required, Self, TypedDict, Unpack

from mvc.deferred import Deferred
from mvc.errors import (
    BusyError,
    ExistsError,
    GoneError,
    InputError,
    IntegrityError,
    MvcError,
    NotFoundError,
    StorageError,
)
from mvc.objects import Commit, Manifest, Memory, ObjectId, Operation, TensorSpec, parse_object_id
from mvc.repository.checkpoint import StoredCheckpoint
from mvc.repository.config import Config, check_owner, read_config
from mvc.repository.layout import (
    DIRECTORY,
    HEAD,
    NO_OPERATION,
    Layout,
    check_layout,
    create_layout,
    find_root,
    read_template,
    upgrade_layout,
)
from mvc.repository.locks import Waiting, WriteLock, running_command
from mvc.repository.records import Records
from mvc.repository.replayed import Replayed
from mvc.repository.revisions import check_tag
from mvc.repository.state import State, oldest_first, replay
from mvc.storage import REAL, FileSystem, LocalStorage

if TYPE_CHECKING:
    import mvc.odb as store
else:
    store = Deferred("mvc.odb")


class Asked(TypedDict, total=False):
    """What a change of a repository is made of. ``commits`` must be stored already; ``removed`` are those that no
    longer count. ``tags`` sets names to commits, or with None removes them; so does ``settings`` with declarations.
    ``time`` is now unless given."""

    command: Required[str]
    author: Required[str]
    commits: Sequence[ObjectId]
    tags: Mapping[str, ObjectId | None] | None
    settings: Mapping[str, str | None] | None
    removed: Sequence[ObjectId]
    time: datetime | None


class Repository(Records):
    """One repository. ``root`` is its working directory, ``directory`` its ``.mvc``. Reading takes no lock.

    Made by `init`, `open` or `discover`. One instance belongs to one thread.
    """

    def __init__(self, layout: Layout, config: Config, fs: FileSystem) -> None:
        self.layout = layout
        self.directory = layout.directory
        self.root = layout.directory.parent
        self.config = config
        self.fs = fs
        self.storage = LocalStorage(layout.directory, fs=fs)
        self.waiting: Waiting | None = None
        self._lock = WriteLock(fs, layout.locks)
        self._locked = False
        self._current = False  # whether, under the lock that is held, the format was made the one written here
        self.replayed = Replayed(fs, layout.replayed, self.operation)
        self._memories: tuple[ObjectId | None, Mapping[ObjectId, Memory]] | None = None

    @cached_property
    def odb(self) -> store.ObjectDatabase:
        """The objects. Reading the newest operation, the config or the index needs none of what this imports."""
        settings = self.config.storage
        return store.ObjectDatabase(self.storage, compress=settings.compress, keyframe=settings.keyframe)

    @classmethod
    def init(cls, path: str | Path, *, template: str | Path | None = None, fs: FileSystem = REAL) -> Self:
        """Lays down a new repository in the directory ``path``, which is made where it is missing.

        Raises ExistsError where one is there already, and InputError for a template that cannot be used.
        """
        root = Path(path).absolute()
        create_layout(fs, root, read_template(fs, Path(template) if template is not None else None))
        return cls.open(root, fs=fs)

    @classmethod
    def open(cls, path: str | Path, *, trust: bool = False, fs: FileSystem = REAL) -> Self:
        """The repository whose working directory is ``path``.

        Raises NotFoundError where there is none, and InputError where its format is newer than this mvc, its config
        cannot be used, or another user owns it and ``trust`` is not set.
        """
        return cls.at(Layout(Path(path).absolute() / DIRECTORY), trust=trust, fs=fs)

    @classmethod
    def at(cls, layout: Layout, *, trust: bool = False, fs: FileSystem = REAL) -> Self:
        """The repository laid out like this, wherever that is, such as a copy of ``.mvc``. Raises as `open` does."""
        check_layout(fs, layout)
        if not trust:
            check_owner(fs, layout.directory, layout.config)
        return cls(layout, read_config(fs, layout.config), fs)

    @classmethod
    def discover(cls, start: str | Path, *, trust: bool = False, fs: FileSystem = REAL) -> Self:
        """The nearest repository at or above ``start``. Raises as `open` does."""
        return cls.open(find_root(Path(start)), trust=trust, fs=fs)

    @contextlib.contextmanager
    def lock(self, timeout: float | None = None, command: str | None = None, *, upgrade: bool = True) -> Iterator[None]:
        """Makes this instance the repository's one writer. To be held while objects are put, too.

        A repository of an older format becomes one of today's, unless ``upgrade`` is False: then nothing may be put.
        ``timeout`` is in seconds (None: the config's, for each holder before it). `waiting` is told before a wait.
        Raises BusyError that names the holder. Reentrant.
        """
        if self._locked:
            self._upgrade(upgrade)
            yield
            return
        wait = self.config.lock.timeout if timeout is None else timeout
        with self._lock.hold(command or running_command(), wait, each=timeout is None, waiting=self.waiting):
            self._locked = True
            try:
                self._upgrade(upgrade)
                yield
            finally:
                self._locked = self._current = False

    def _upgrade(self, wanted: bool) -> None:
        if wanted and not self._current:
            upgrade_layout(self.fs, self.layout)
            self._current = True

    def head(self) -> ObjectId | None:
        """Id of the newest operation; None in a new repository. Raises IntegrityError for a damaged pointer."""
        try:
            text = self.storage.get(HEAD).decode("ascii")
            head = parse_object_id(text.removesuffix("\n"))
        except NotFoundError:
            raise _bad_head("missing") from None
        except (InputError, UnicodeDecodeError):
            raise _bad_head("damaged") from None
        return head if head != NO_OPERATION else None

    def operations(self) -> Iterator[Operation]:
        """Every operation, newest first: the reflog."""
        return reversed(oldest_first(self.head(), self.operation))

    def state_at(self, operation_id: ObjectId | None) -> State:
        """What the operations up to this one add up to. Costs one read for each of them."""
        return replay(oldest_first(operation_id, self.operation))

    def state(self) -> State:
        """What all operations add up to. Costs one read for each since the last call, or the kept state."""
        return self.replayed.at(self.head())

    def append(self, **change: Unpack[Asked]) -> Operation:
        """Makes one change of the repository: all of it, durably, or none. Needs the lock, and no open batch.

        Arguments and errors are those of `propose`.
        """
        with self.odb.batch():
            operation = self.propose(**change)
        self.accept(operation)
        return operation

    def propose(self, **change: Unpack[Asked]) -> Operation:
        """Puts the operation that a change is; the last of a batch, so that one file holds it and what it speaks of.
        It counts when the batch has been left and the operation was accepted. Needs the lock.

        Raises ExistsError for a tag that is set already, NotFoundError for a commit or tag that is not there, and
        StorageError where the disk refuses.
        """
        if not self._current:
            raise MvcError(
                "a change needs the repository's lock", hint="use: with repository.lock()", code="not-locked"
            )
        state = self.state()
        commits, removed = tuple(change.get("commits", ())), tuple(change.get("removed", ()))
        tags = dict(change.get("tags") or {})
        for commit in commits:
            if not self.odb.contains(commit):
                raise NotFoundError(f"commit {commit} is not stored", code="no-such-revision")
        gone = set(removed)
        if not gone <= set(state.commits):
            missing = min(gone - set(state.commits))
            raise NotFoundError(f"commit {missing} is not in the repository", code="no-such-revision")
        self._check_tags(state, tags, {*state.commits, *commits} - gone)
        operation = Operation(
            parents=(state.head,) if state.head is not None else (),
            time=(change.get("time") or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="microseconds"),
            author=change["author"],
            command=change["command"],
            commits=commits,
            tags=tags,
            settings=dict(change.get("settings") or {}),
            removed=removed,
        )
        self.odb.put("operation", operation.to_payload())
        return operation

    def accept(self, operation: Operation) -> None:
        """Makes an operation, and all that was put before it, count: the sole commit point. Needs the lock, no batch.

        Raises BusyError where another change came between, StorageError.
        """
        expected = f"{operation.parents[0] if operation.parents else NO_OPERATION}\n".encode()
        if not self.storage.compare_and_swap(HEAD, expected, f"{operation.id}\n".encode()):
            raise BusyError("another process changed the repository meanwhile", hint="run the command again")
        with contextlib.suppress(StorageError):  # the change stands; whoever comes next tries again
            self.odb.consolidate()
        self.replayed.follow(operation)

    def _check_tags(self, state: State, tags: Mapping[str, ObjectId | None], known: set[ObjectId]) -> None:
        for name, commit in tags.items():
            if commit is None:
                if name not in state.tags:
                    raise NotFoundError(f"there is no tag {name!r}", hint="run: mvc tag", code="no-such-tag")
                continue
            check_tag(name)
            if name in state.tags:
                message = f"tag {name!r} exists and names {state.tags[name][:12]}"
                raise ExistsError(message, hint=f"choose another name, or run: mvc tag --delete {name}")
            if commit not in known:
                raise NotFoundError(f"commit {commit} is not in the repository", code="no-such-revision")
            self.commit(commit)  # a name for what is lost would be of no use

    def memories(self) -> Mapping[ObjectId, Memory]:
        """What is remembered of every commit whose tensors were given up. Raises IntegrityError."""
        state = self.state()
        if self._memories is None or self._memories[0] != state.head:
            found = {commit: self.memory(one) for commit, one in state.gone.items()}
            self._memories = state.head, found
        return self._memories[1]

    def tensor(self, object_id: ObjectId, *, recall: bool = False) -> tuple[TensorSpec, store.Buffer]:
        """Spec and canonical bytes; with ``recall`` from memory, if it was hashed a short while ago. Raises
        IntegrityError where it is missing or damaged, and GoneError where it was given up with a commit."""
        try:
            return self.odb.recall(object_id) if recall else self.odb.get_tensor(object_id)
        except IntegrityError as error:
            if error.code == "missing-object":
                for memory in self.memories().values():
                    if object_id in memory.tensors:
                        raise gone(memory) from None
            raise

    def checkpoint(self, source: ObjectId | Commit | Manifest) -> StoredCheckpoint:
        """The weights of a commit, its id, or a manifest; tensors are read when they are asked for."""
        if isinstance(source, str):
            source = self.commit(source)
        if isinstance(source, Commit):
            source = self.manifest(source.manifest)
        return StoredCheckpoint(source, self.tensor)


def gone(memory: Memory) -> GoneError:
    """The error of whoever asks for what was given up."""
    message = f"the tensors of commit {memory.commit[:12]} were given up on {memory.time[:10]} by {memory.reason}"
    return GoneError(
        message, hint="if its file is still somewhere: mvc commit --restore PATH; what is left: mvc show REV"
    )


def _bad_head(what: str) -> IntegrityError:
    return IntegrityError(f"the pointer HEAD is {what}", hint="run: mvc fsck --repair", code="bad-head")
