"""Both storages keep the contract; the local one also keeps its promises about files."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from mvc.errors import ExistsError, NotFoundError, StorageError
from mvc.storage import FileSystem, LocalStorage, MemoryStorage, Storage, atomic_write
from mvc.testing.faults import DISK_ERRORS, Crash, FaultyFileSystem
from mvc.testing.storage_contract import StorageContract


class TestMemoryStorage(StorageContract):
    @pytest.fixture
    def storage(self) -> Storage:
        return MemoryStorage()


class TestLocalStorage(StorageContract):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> Storage:
        return LocalStorage(tmp_path)


class _NoLinks(FileSystem):
    def link(self, source: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "no hard links here")


class TestLocalStorageWithoutHardLinks(StorageContract):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> Storage:
        return LocalStorage(tmp_path, fs=_NoLinks())


def files(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.rglob("*") if path.is_file() and path.name != ".swap.lock")


def test_leftovers_are_neither_listed_nor_readable(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    storage.put_if_absent("a/b", [b"1"])
    (tmp_path / "a" / "tmp-1-2").write_bytes(b"half")
    assert list(storage.list()) == ["a/b"]
    assert list(storage.temporary_files()) == [tmp_path / "a" / "tmp-1-2"]


def test_a_key_that_is_a_directory_is_no_value(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    storage.put_if_absent("a/b/c", [b"1"])
    with pytest.raises((NotFoundError, StorageError)):
        storage.get("a/b")


def test_values_are_read_only_files(tmp_path: Path) -> None:
    LocalStorage(tmp_path).put_if_absent("a", [b"1"])
    assert (tmp_path / "a").stat().st_mode & 0o222 == 0


def test_no_swap_within_a_batch(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    with storage.batch(), pytest.raises(StorageError):
        storage.compare_and_swap("p", None, b"1")
    assert not storage.exists("p")


@pytest.mark.parametrize("number", DISK_ERRORS)
@pytest.mark.parametrize("lasting", [False, True])
def test_a_put_that_fails_anywhere_is_an_error_and_leaves_no_value_in_doubt(
    tmp_path: Path, number: int, lasting: bool
) -> None:
    """An error is reported, or the value is there; a value is whole or absent."""
    for n in range(100):
        root = tmp_path / str(n)
        root.mkdir()
        fs = FaultyFileSystem(n, error=number, lasting=lasting)
        try:
            LocalStorage(root, fs=fs).put_if_absent("a/b", [b"one", b"two"])
        except StorageError as error:
            assert error.hint
            assert isinstance(error.__cause__, OSError)
        else:
            assert len(fs.operations) <= n
            assert LocalStorage(root).get("a/b") == b"onetwo"
            break
        assert not LocalStorage(root).exists("a/b") or LocalStorage(root).get("a/b") == b"onetwo"
        if not lasting and fs.operations[n] not in {"unlink", "close", "fsync_directory"}:
            assert files(root) == []
    else:
        pytest.fail("never succeeded")


def test_a_failed_fsync_is_not_tried_again(tmp_path: Path) -> None:
    fs = FaultyFileSystem(2, error=errno.EIO)  # create, write, fsync
    with pytest.raises(StorageError, match="input/output error"):
        atomic_write(fs, tmp_path / "f", [b"x"], overwrite=True)
    assert fs.operations == ["create", "write", "fsync", "close", "unlink"]
    assert files(tmp_path) == []


@pytest.mark.parametrize("overwrite", [False, True])
def test_atomic_write_stopped_anywhere_leaves_old_or_new(tmp_path: Path, overwrite: bool) -> None:
    for n in range(20):
        path = tmp_path / f"{n}.txt"
        if overwrite:
            path.write_bytes(b"old")
        fs = FaultyFileSystem(n)
        try:
            atomic_write(fs, path, [b"new", b"er"], overwrite=overwrite)
        except Crash:
            if overwrite:
                assert path.read_bytes() in (b"old", b"newer")
            else:
                assert not path.exists() or path.read_bytes() == b"newer"
        else:
            assert path.read_bytes() == b"newer"
            return
    pytest.fail("never succeeded")


def test_atomic_write_refuses_to_overwrite_and_does_not_follow_links(tmp_path: Path) -> None:
    fs = FileSystem()
    (tmp_path / "target").write_bytes(b"precious")
    (tmp_path / "link").symlink_to("target")
    (tmp_path / "dangling").symlink_to("nowhere")
    for name in ("target", "link", "dangling"):
        with pytest.raises(ExistsError):
            atomic_write(fs, tmp_path / name, [b"x"], overwrite=False)
    atomic_write(fs, tmp_path / "link", [b"x"], overwrite=True)
    assert (tmp_path / "target").read_bytes() == b"precious"
    assert not (tmp_path / "link").is_symlink()
    assert not (tmp_path / "nowhere").exists()


def test_reading_a_fifo_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(StorageError):
        LocalStorage(tmp_path).get("fifo")


def test_a_batch_syncs_every_file_before_it_names_any(tmp_path: Path) -> None:
    fs = FaultyFileSystem()
    storage = LocalStorage(tmp_path, fs=fs)
    with storage.batch():
        for n in range(5):
            storage.put_if_absent(f"d{n}/x", [b"x"])
    operations = fs.operations
    last_fsync = max(i for i, name in enumerate(operations) if name == "fsync")
    first_link = operations.index("link")
    last_link = max(i for i, name in enumerate(operations) if name == "link")
    first_directory = operations.index("fsync_directory")
    assert last_fsync < first_link <= last_link < first_directory
    assert operations.count("fsync_directory") == 6  # five directories and the root, once each
