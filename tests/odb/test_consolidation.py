"""Small packs become few, a little at a time, and nobody misses an object meanwhile."""

from __future__ import annotations

import contextlib
import errno
import os
import random
from pathlib import Path

import pytest

from mvc.errors import IntegrityError, StorageError
from mvc.objects import ObjectId
from mvc.odb import ObjectDatabase
from mvc.odb.consolidation import FULL, LARGE, due
from mvc.storage import FileSystem, LocalStorage, MemoryStorage
from mvc.testing.faults import Crash, FaultyFileSystem, PowerLossFileSystem


class Unsynced(FileSystem):
    """For what a test needs before it begins: quicker, and as good while the power stays."""

    def fsync(self, descriptor: int) -> None:
        pass

    def fsync_directory(self, path: Path) -> None:
        pass


def put(odb: ObjectDatabase, number: int, size: int = 300) -> ObjectId:
    with odb.batch():
        return odb.put("commit", random.Random(number).randbytes(size))


def small_packs(root: Path) -> list[ObjectId]:
    odb = ObjectDatabase(LocalStorage(root, fs=Unsynced()))
    return [put(odb, number) for number in range(FULL)]


def whole(root: Path, ids: list[ObjectId]) -> int:
    """How many packs there are; every object can be read."""
    odb = ObjectDatabase(LocalStorage(root))
    assert [odb.verify(object_id) for object_id in ids] == ["commit"] * len(ids)
    assert odb.damaged_packs == {}
    return len(odb.packs)


def test_a_thousand_commits_leave_few_packs_and_copy_little() -> None:
    class Counting(MemoryStorage):
        written = 0
        most = 0

        def put_if_absent(self, key: str, chunks: object) -> bool:
            value = b"".join(chunks)  # type: ignore[call-overload]
            self.written += len(value)
            self.most = max(self.most, len(value))
            return super().put_if_absent(key, [value])

    storage = Counting()
    odb = ObjectDatabase(storage)
    ids = []
    most = 0
    for number in range(1000):
        ids.append(put(odb, number, 400 + 37 * (number % 7)))
        odb.consolidate()
        most = max(most, len(odb.packs))
    assert most < 3 * FULL
    assert list(odb.ids()) == sorted(ids)
    assert all(odb.verify(object_id) for object_id in ids)
    kept = sum(storage.size(key) for key in storage.list())
    assert storage.written < 6 * kept
    assert storage.most < FULL * LARGE


def test_large_packs_are_left_alone() -> None:
    odb = ObjectDatabase(MemoryStorage(), compress=False)
    for number in range(FULL + 2):
        put(odb, number, LARGE)
    assert due(odb.packs.values()) == []


def test_consolidation_stopped_anywhere_loses_nothing(tmp_path: Path) -> None:
    outcomes = []
    for n in range(1000):
        root = tmp_path / str(n)
        root.mkdir()
        ids = small_packs(root)
        try:
            ObjectDatabase(LocalStorage(root, fs=FaultyFileSystem(n))).consolidate()
        except Crash:
            outcomes.append(whole(root, ids))
            ObjectDatabase(LocalStorage(root)).consolidate()
            assert whole(root, ids) <= FULL
        else:
            break
    assert whole(root, ids) == 1
    assert {1, FULL, FULL + 1} <= set(outcomes)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_consolidation_on_a_disk_that_fails_loses_nothing(tmp_path: Path, number: int) -> None:
    for n in range(1000):
        root = tmp_path / str(n)
        root.mkdir()
        ids = small_packs(root)
        odb = ObjectDatabase(LocalStorage(root, fs=FaultyFileSystem(n, error=number)))
        try:
            odb.consolidate()
        except StorageError:
            assert all(odb.verify(object_id) for object_id in ids)
            whole(root, ids)
        else:
            break
    assert n > FULL


def test_power_loss_during_consolidation_loses_nothing(tmp_path: Path) -> None:
    for n in range(1000):
        root = tmp_path / str(n)
        root.mkdir()
        ids = small_packs(root)
        fs = PowerLossFileSystem(root, fail_at=n)
        done = False
        try:
            ObjectDatabase(LocalStorage(root, fs=fs)).consolidate()
            done = True
        except Crash:
            pass
        for seed in range(3):
            after = tmp_path / f"{n}-{seed}"
            fs.power_loss(after, random.Random(100 * n + seed))
            whole(after, ids)
        if done:
            break


def test_of_two_copies_the_sound_one_stays(tmp_path: Path) -> None:
    """Consolidation neither repairs damage nor lets it win."""
    ids = small_packs(tmp_path)
    odb = ObjectDatabase(LocalStorage(tmp_path))
    victim = odb.key_of(ids[3])
    twin = ObjectDatabase(LocalStorage(tmp_path))
    twin.ignore(victim)
    put(twin, 3)
    path = tmp_path / victim
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b"commit \0", b"c0mmit \0"))
    again = ObjectDatabase(LocalStorage(tmp_path))
    again.consolidate()
    assert len(again.packs) == 2
    sound = 0
    for key in again.packs:
        other = ObjectDatabase(LocalStorage(tmp_path))
        other.ignore(key)
        with contextlib.suppress(IntegrityError):
            sound += other.verify(ids[3]) == "commit"
    assert sound == 1


def test_a_reader_never_misses_an_object_while_packs_move(tmp_path: Path) -> None:
    """Before each of the reader's first looks at a pack, everything is consolidated."""
    writer = ObjectDatabase(LocalStorage(tmp_path, fs=Unsynced()))
    ids = [put(writer, number) for number in range(5)]
    meddle = [0]

    class Meddling(FileSystem):
        def _meddle(self, path: Path) -> None:
            if meddle[0] and "packs" in path.parts:
                meddle[0] -= 1
                ids.extend(put(writer, len(ids)) for _ in range(FULL))
                writer.consolidate()

        def read(self, path: Path, offset: int = 0, length: int | None = None) -> bytes:
            self._meddle(path)
            return super().read(path, offset, length)

        def stat(self, path: Path) -> os.stat_result:
            self._meddle(path)
            return super().stat(path)

    reader = ObjectDatabase(LocalStorage(tmp_path, fs=Meddling()))
    for times in range(6):
        meddle[0] = times
        assert reader.contains(ids[-1])
        meddle[0] = times
        assert reader.verify(ids[times]) == "commit"
        meddle[0] = times
        assert reader.stored_size(ids[-1]) > 0
    assert list(reader.ids()) == sorted(ids)
