"""Disks that fail, and machines that lose power. Owns two stand-ins for ``mvc.storage.FileSystem``.

`FaultyFileSystem` fails the n-th operation that changes something, or stops the process there. `PowerLossFileSystem`
also keeps what was synced apart from what was not, and lays out what might be found after the power went.
"""

from __future__ import annotations

import errno
import os
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from mvc.storage import FileSystem


class Crash(BaseException):
    """The process is gone: from here on its file system does nothing any more."""


class FaultyFileSystem(FileSystem):
    """Fails at operation number ``fail_at``, counted from 0 over everything that changes the disk.

    With ``error`` (an errno) the operation raises OSError; ``lasting`` makes all that follow fail as well. Without it
    the process stops there; a write may have got halfway. ``operations`` lists what was asked for.
    """

    sync_threads = 0

    def __init__(self, fail_at: int | None = None, *, error: int | None = None, lasting: bool = False) -> None:
        self.operations: list[str] = []
        self._fail_at = fail_at
        self._error = error
        self._lasting = lasting
        self._mutex = threading.RLock()

    def _operation(self, name: str, halfway: Callable[[], None] | None = None) -> None:
        number = len(self.operations)
        self.operations.append(name)
        if self._fail_at is None or number < self._fail_at:
            return
        if self._error is None:
            if number == self._fail_at and halfway is not None:
                halfway()
            raise Crash
        if self._lasting or number == self._fail_at:
            if halfway is not None:
                halfway()
            raise OSError(self._error, os.strerror(self._error))

    def create(self, path: Path, mode: int = 0o666) -> int:
        self._operation("create")
        return super().create(path, mode)

    def write(self, descriptor: int, data: bytes | memoryview) -> None:
        view = memoryview(data).cast("B")
        self._operation("write", lambda: super(FaultyFileSystem, self).write(descriptor, view[: len(view) // 2]))
        super().write(descriptor, view)

    def fsync(self, descriptor: int) -> None:
        self._operation("fsync")
        super().fsync(descriptor)

    def close(self, descriptor: int) -> None:
        super().close(descriptor)  # first, as the operating system closes what a dead process held
        self._operation("close")

    def replace(self, source: Path, target: Path) -> None:
        self._operation("replace")
        super().replace(source, target)

    def rename_directory(self, source: Path, target: Path) -> None:
        self._operation("rename_directory")
        super().rename_directory(source, target)

    def link(self, source: Path, target: Path) -> None:
        self._operation("link")
        super().link(source, target)

    def unlink(self, path: Path) -> None:
        self._operation("unlink")
        super().unlink(path)

    def make_directory(self, path: Path) -> None:
        self._operation("make_directory")
        super().make_directory(path)

    def remove_directory(self, path: Path) -> None:
        self._operation("remove_directory")
        super().remove_directory(path)

    def fsync_directory(self, path: Path) -> None:
        self._operation("fsync_directory")
        super().fsync_directory(path)


@dataclass(eq=False)
class _File:
    written: bytearray = field(default_factory=bytearray)
    synced: bytes | None = None


@dataclass(eq=False)
class _Directory:
    """``durable`` is what the disk has; ``changes`` what it may or may not have got, each applied whole or not."""

    names: dict[str, _File | _Directory] = field(default_factory=dict)
    durable: dict[str, _File | _Directory] = field(default_factory=dict)
    changes: list[dict[str, _File | _Directory | None]] = field(default_factory=list)

    def change(self, **names: _File | _Directory | None) -> None:
        self.changes.append(dict(names))
        for name, node in names.items():
            if node is None:
                self.names.pop(name, None)
            else:
                self.names[name] = node


class PowerLossFileSystem(FaultyFileSystem):
    """Real files under ``root``, shadowed by what of them would outlast a power cut.

    What lies under ``root`` at the start is durable. Renames across directories are not modelled; mvc makes none that
    matter.
    """

    def __init__(self, root: Path, fail_at: int | None = None) -> None:
        super().__init__(fail_at)
        self._root = root
        self._tree = self._load(root)
        self._open: dict[int, _File] = {}

    def _load(self, path: Path) -> _Directory:
        directory = _Directory()
        for entry in path.iterdir():
            if entry.is_dir():
                directory.names[entry.name] = self._load(entry)
            else:
                content = entry.read_bytes()
                directory.names[entry.name] = _File(bytearray(content), content)
        directory.durable = dict(directory.names)
        return directory

    def _directory(self, path: Path) -> _Directory:
        node = self._tree
        for name in path.relative_to(self._root).parts:
            child = node.names[name]
            assert isinstance(child, _Directory)
            node = child
        return node

    def create(self, path: Path, mode: int = 0o666) -> int:
        descriptor = super().create(path, mode)
        self._open[descriptor] = node = _File()
        self._directory(path.parent).change(**{path.name: node})
        return descriptor

    def write(self, descriptor: int, data: bytes | memoryview) -> None:
        self._open[descriptor].written += data
        super().write(descriptor, data)

    def fsync(self, descriptor: int) -> None:
        super().fsync(descriptor)
        node = self._open[descriptor]
        node.synced = bytes(node.written)

    def close(self, descriptor: int) -> None:
        self._open.pop(descriptor, None)
        super().close(descriptor)

    def replace(self, source: Path, target: Path) -> None:
        super().replace(source, target)
        directory = self._directory(source.parent)
        directory.change(**{target.name: directory.names[source.name], source.name: None})

    def rename_directory(self, source: Path, target: Path) -> None:
        super().rename_directory(source, target)
        directory = self._directory(source.parent)
        directory.change(**{target.name: directory.names[source.name], source.name: None})

    def link(self, source: Path, target: Path) -> None:
        super().link(source, target)
        directory = self._directory(source.parent)
        directory.change(**{target.name: directory.names[source.name]})

    def unlink(self, path: Path) -> None:
        super().unlink(path)
        self._directory(path.parent).change(**{path.name: None})

    def make_directory(self, path: Path) -> None:
        super().make_directory(path)
        self._directory(path.parent).change(**{path.name: _Directory()})

    def remove_directory(self, path: Path) -> None:
        super().remove_directory(path)
        self._directory(path.parent).change(**{path.name: None})

    def fsync_directory(self, path: Path) -> None:
        super().fsync_directory(path)
        directory = self._directory(path)
        directory.durable = dict(directory.names)
        directory.changes.clear()

    def power_loss(self, target: Path, chance: random.Random) -> None:
        """Lays out in the new directory ``target`` what one might find: of unsynced changes each made it or not."""
        self._lay_out(self._tree, target, chance)

    def _lay_out(self, directory: _Directory, target: Path, chance: random.Random) -> None:
        target.mkdir()
        names = dict(directory.durable)
        keep = chance.choice((0.0, 0.5, 1.0))
        for change in directory.changes:
            if chance.random() < keep:
                for name, node in change.items():
                    if node is None:
                        names.pop(name, None)
                    else:
                        names[name] = node
        for name, node in names.items():
            if isinstance(node, _Directory):
                self._lay_out(node, target / name, chance)
            else:
                (target / name).write_bytes(_survivor(node, chance))


def _survivor(file: _File, chance: random.Random) -> bytes:
    """A synced file is whole; of an unsynced one anything may be left."""
    if file.synced is not None and len(file.synced) == len(file.written):
        return file.synced
    whole = bytes(file.written)
    return chance.choice((b"", whole[: chance.randint(0, len(whole))], bytes(len(whole)), whole))


#: what disks say when they fail
DISK_ERRORS = (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT)
