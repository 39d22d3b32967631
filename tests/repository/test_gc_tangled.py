"""gc stopped and failing where everything comes together: given-up files, doubles, rot, an undo."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from mvc.errors import MvcError, StorageError
from mvc.objects import (
    Commit,
    FileEntry,
    Manifest,
    Memory,
    ObjectId,
    Skeleton,
    TensorEntry,
    TensorSpec,
)
from mvc.repository import Repository, check_repository
from mvc.repository.gc import collect
from mvc.storage import FileSystem
from mvc.testing.commits import loosen
from mvc.testing.faults import Crash, FaultyFileSystem


class _FailingReads(FileSystem):
    """The n-th read fails, for this once."""

    def __init__(self, fail_at: int) -> None:
        self.left = fail_at

    def read(self, path: Path, offset: int = 0, length: int | None = None) -> bytes:
        self.left -= 1
        if self.left == -1:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().read(path, offset, length)


def _tangled(root: Path) -> tuple[dict[ObjectId, bytes], list[ObjectId]]:
    """Everything that may come together: files of nothing but given-up tensors, on which others rest; each object in a
    pack as well, as a stopped gc leaves it, where one that is needed has rotted; and a commit that was just undone.

    What must be readable, by commit; tensors that must go.
    """
    repository = Repository.init(root)
    rng = np.random.default_rng(0)
    spec = TensorSpec("F32", (2048,))
    weights = rng.normal(size=2048) * 0.02
    commits: list[ObjectId] = []
    tensors: list[ObjectId] = []
    values: list[bytes] = []
    with repository.lock():
        for number in range(6):
            values.append(weights.astype(np.float32).tobytes())
            weights = weights + 1e-4 * rng.normal(size=2048)
            with repository.odb.batch():
                tensors.append(repository.odb.put_tensor(spec, values[-1], bases=tensors[:-3:-1]))
                entry = TensorEntry("w", tensors[-1], spec, "weight")
                file = FileEntry("", "opaque", 0, f"{number:064}", repository.put(Skeleton(0, (), b"")), (entry,))
                commits.append(repository.put(Commit(repository.put(Manifest((file,))), f"{number}", "t", "a")))
                made = repository.propose(command="commit", author="a", commits=commits[-1:])
            repository.accept(made)
        loosen(repository)
        files = {key: repository.storage.get(key) for key in repository.storage.list("objects/")}
        collect(repository)
        for key, stored in files.items():
            repository.storage.put_if_absent(key, (stored,))
        [pack] = repository.odb.packs.values()
        rotten = tensors[4]
        span = pack.span(pack.ids().index(rotten))
        path = repository.directory / pack.key
        data = bytearray(path.read_bytes())
        data[span.offset + span.length - 5] ^= 1
        path.chmod(0o644)
        path.write_bytes(data)
        repository.append(command="undo", author="a", removed=commits[5:])
        gone = (0, 2, 3)
        with repository.odb.batch():
            memories = [Memory(commits[n], "2024-01-01", "a test", {tensors[n]: None}, {}, {}, 0.0) for n in gone]
            settings = {f"gone:{memory.commit}": repository.put(memory) for memory in memories}
            made = repository.propose(command="gc --keep", author="a", settings=settings)
        repository.accept(made)
    return {commits[n]: values[n] for n in (1, 4, 5)}, [tensors[n] for n in gone]


def _check_tangled(root: Path, needed: dict[ObjectId, bytes], gone: list[ObjectId]) -> None:
    """Whatever was stopped wherever: all that is needed can be read, and the next gc ends it."""
    for last in (False, True):
        repository = Repository.open(root)
        assert {one: bytes(repository.checkpoint(one).read("w")) for one in needed} == needed
        if not last:
            collect(repository)
    check_repository(repository, repair=True)
    assert check_repository(repository).findings == ()
    assert not any(repository.odb.contains(one) for one in gone)


@pytest.mark.parametrize(("number", "first"), [(None, 0), (None, 1), (errno.EIO, 2), (errno.ENOSPC, 3)])
def test_gc_of_all_that_may_come_together_stopped_or_failing_at_a_change(
    tmp_path: Path, number: int | None, first: int
) -> None:
    needed, gone = _tangled(tmp_path / "start")
    for n in range(first, 1000, 4 if number else 2):
        root = tmp_path / str(n)
        shutil.copytree(tmp_path / "start", root)
        fs = FaultyFileSystem(n, error=number)
        with contextlib.suppress(Crash, StorageError):
            collect(Repository.open(root, fs=fs))
        _check_tangled(root, needed, gone)
        if len(fs.operations) <= n:
            break
    assert n > 25


def test_gc_of_all_that_may_come_together_where_a_read_fails(tmp_path: Path) -> None:
    needed, gone = _tangled(tmp_path / "start")
    stopped = 0
    for n in range(0, 1000, 7):
        root = tmp_path / str(n)
        shutil.copytree(tmp_path / "start", root)
        before = {path for path in (root / ".mvc").rglob("*") if path.is_file() and path.parent.name != "locks"}
        fs = _FailingReads(n)
        try:
            collect(Repository.open(root, fs=fs))
        except MvcError:
            stopped += 1
            assert all(path.exists() for path in before)
        _check_tangled(root, needed, gone)
        if fs.left >= 0:
            break
    assert stopped > 10
