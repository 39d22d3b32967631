"""The state of a repository without replaying every operation each time. Owns where it is kept between processes, and
when that may be believed.

The operations are the truth, and what one of them and all before it add up to never changes: its id covers them. So a
kept state is never stale; from the operation that it names on, only later ones are replayed. It is a cache beside the
index, bound to that operation by a digest. One that is torn, of other rules, or of an operation that `HEAD` does not
lead to is passed over. What gc may delete, and what fsck believes, is always replayed from the first operation.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import blake3

from mvc.errors import MvcError
from mvc.objects import ObjectId, Operation, canonical
from mvc.objects.checks import each, fields, named, text
from mvc.repository.state import State, advance, replay
from mvc.storage import FileSystem, disk_errors, replace_unsynced

#: of what the file looks like and of the rules by which operations are replayed
_VERSION = "1"
#: operations after which the state is kept anew: a process replays at most so many, in some 15 ms
INTERVAL = 100

_FIELDS = {"version": text, "head": text, "commits": each(text), "tags": named(text), "settings": named(text)}


class Replayed:
    """The newest state that is known. ``read`` gives an operation by its id."""

    def __init__(self, fs: FileSystem, file: Path, read: Callable[[ObjectId], Operation]) -> None:
        self._fs, self._file, self._read = fs, file, read
        self._state: State | None = None
        self._unsaved = 0

    def at(self, head: ObjectId | None) -> State:
        """What the operations up to this one add up to. Costs one read for each since the last call, or the kept state.

        Raises IntegrityError where one of those is missing or damaged.
        """
        if self._state is None:
            self._state = (head and self._load()) or State()
        if self._state.head != head:
            self._state = advance(self._state, head, self._counted)
        return self._state

    def follow(self, operation: Operation) -> None:
        """Goes on to the next operation, which counts now, and keeps the state where that is due. Needs the
        repository's lock. What the disk refuses, a later one does."""
        self._state = replay((operation,), self.at(operation.parents[0] if operation.parents else None))
        self._unsaved += 1
        if self._unsaved >= INTERVAL:
            with contextlib.suppress(MvcError, OSError):
                replace_unsynced(self._fs, self._file, _packed(self._state))
                self._unsaved = 0

    def discard(self) -> None:
        """Forgets what is known and kept. Needs the repository's lock. Raises StorageError."""
        self._state, self._unsaved = None, 0
        with disk_errors(self._file, "remove"), contextlib.suppress(FileNotFoundError):
            self._fs.unlink(self._file)

    def _counted(self, operation_id: ObjectId) -> Operation:
        self._unsaved += 1
        return self._read(operation_id)

    def _load(self) -> State | None:
        try:
            digest, _, payload = self._fs.read(self._file).partition(b"\n")
            if digest != _digest(payload):
                return None
            value = json.loads(payload)
            fields(value, _FIELDS)
        except (OSError, ValueError, RecursionError):
            return None
        if value.pop("version") != _VERSION:
            return None
        return State(value["head"], tuple(value["commits"]), value["tags"], value["settings"])


def _packed(state: State) -> tuple[bytes, bytes]:
    value = {
        "version": _VERSION,
        "head": state.head,
        "commits": state.commits,
        "tags": dict(state.tags),
        "settings": dict(state.settings),
    }
    payload = canonical.encode(value)
    return _digest(payload) + b"\n", payload


def _digest(payload: bytes) -> bytes:
    return blake3.blake3(payload).hexdigest().encode()
