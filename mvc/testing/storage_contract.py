"""What every Storage must do. Owns the suite that an adapter's tests inherit; it tests through the public methods only.

class TestMyStorage(StorageContract):
    @pytest.fixture
    def storage(self): ...
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from mvc.errors import InputError, NotFoundError
from mvc.storage import Storage

#: nothing that could leave the storage, hide in it, or mean something else on another system
BAD_KEYS = [
    *("", "/", "a/", "/a", "a//b", ".", "..", "a/../b", "../a", ".a", "a/.b", "a b", "a\\b", "a\0", "a\n", "ä"),
    *("tmp-1", "a/tmp-1", "-a", "a:b", "a" * 201, "C:/a", "a/~b", "a*"),
]


class StorageContract:
    """Needs a fixture ``storage``: an empty Storage for each test."""

    def test_put_and_get(self, storage: Storage) -> None:
        assert storage.put_if_absent("a/b", [b"one", memoryview(b" two"), b""])
        assert storage.get("a/b") == b"one two"
        assert storage.exists("a/b")
        assert storage.size("a/b") == 7

    def test_empty_value(self, storage: Storage) -> None:
        assert storage.put_if_absent("a", [])
        assert not storage.put_if_absent("a", [b"later"])
        assert storage.get("a") == b""

    def test_put_does_not_overwrite_and_asks_for_nothing(self, storage: Storage) -> None:
        assert storage.put_if_absent("a", [b"first"])
        assert not storage.put_if_absent("a", (pytest.fail("asked for chunks") for _ in range(1)))
        assert storage.get("a") == b"first"

    def test_failing_chunks_leave_nothing(self, storage: Storage) -> None:
        def chunks() -> Iterator[bytes]:
            yield b"half"
            raise ValueError("the source failed")

        with pytest.raises(ValueError, match="the source failed"):
            storage.put_if_absent("a/b", chunks())
        assert not storage.exists("a/b")
        assert list(storage.list()) == []

    def test_ranges_are_slices(self, storage: Storage) -> None:
        storage.put_if_absent("a", [b"0123456789"])
        for offset, length in ((0, 10), (3, 4), (8, 10), (10, 5), (20, 5), (4, 0)):
            assert storage.get_range("a", offset, length) == b"0123456789"[offset : offset + length]

    def test_absent_keys(self, storage: Storage) -> None:
        storage.put_if_absent("a/b", [b""])
        for key in ("b", "a", "a/b/c", "a/c"):
            assert not storage.exists(key) or key == "a"
        for key in ("b", "a/c", "a/b/c"):
            for action in (storage.get, storage.size, storage.delete, lambda key: storage.get_range(key, 0, 1)):
                with pytest.raises(NotFoundError):
                    action(key)

    @pytest.mark.parametrize("key", BAD_KEYS)
    def test_bad_keys_are_refused(self, storage: Storage, key: str) -> None:
        actions = (
            storage.get,
            storage.exists,
            storage.size,
            storage.delete,
            lambda key: storage.get_range(key, 0, 1),
            lambda key: storage.put_if_absent(key, [b""]),
            lambda key: storage.compare_and_swap(key, None, b""),
        )
        for action in actions:
            with pytest.raises(InputError):
                action(key)
        assert list(storage.list()) == []

    def test_list(self, storage: Storage) -> None:
        keys = ["a/b/1", "a/b/2", "a/c", "ab", "b/1"]
        for key in reversed(keys):
            storage.put_if_absent(key, [b""])
        assert list(storage.list()) == keys
        assert list(storage.list("a")) == ["a/b/1", "a/b/2", "a/c", "ab"]
        assert list(storage.list("a/")) == ["a/b/1", "a/b/2", "a/c"]
        assert list(storage.list("a/b/2")) == ["a/b/2"]
        assert list(storage.list("zzz/")) == []

    def test_delete(self, storage: Storage) -> None:
        storage.put_if_absent("a/b", [b"one"])
        storage.delete("a/b")
        assert not storage.exists("a/b")
        assert storage.put_if_absent("a/b", [b"two"])
        assert storage.get("a/b") == b"two"

    def test_compare_and_swap(self, storage: Storage) -> None:
        assert not storage.compare_and_swap("p", b"x", b"1")
        assert storage.compare_and_swap("p", None, b"1")
        assert not storage.compare_and_swap("p", None, b"2")
        assert not storage.compare_and_swap("p", b"", b"2")
        assert storage.compare_and_swap("p", b"1", b"2")
        assert storage.get("p") == b"2"

    def test_swaps_from_many_threads_lose_nothing(self, storage: Storage) -> None:
        storage.compare_and_swap("n", None, b"0")

        def count() -> None:
            for _ in range(5):
                while not storage.compare_and_swap("n", old := storage.get("n"), str(int(old) + 1).encode()):
                    pass

        threads = [threading.Thread(target=count) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert storage.get("n") == b"20"

    def test_batch(self, storage: Storage) -> None:
        storage.put_if_absent("old", [b"old"])
        with storage.batch():
            assert storage.put_if_absent("d/new", [b"new"])
            assert not storage.put_if_absent("d/new", [b"newer"])
            assert not storage.put_if_absent("old", [b"newer"])
            with storage.batch():
                assert storage.put_if_absent("d/inner", [b"inner"])
            assert storage.exists("d/new")
            assert storage.get("d/new") == b"new"
            assert storage.get_range("d/new", 1, 1) == b"e"
            assert storage.size("d/inner") == 5
            assert list(storage.list()) == ["d/inner", "d/new", "old"]
        assert [storage.get(key) for key in storage.list()] == [b"inner", b"new", b"old"]

    def test_failed_batch_leaves_whole_values_or_none(self, storage: Storage) -> None:
        with pytest.raises(ValueError, match="stop"), storage.batch():
            storage.put_if_absent("a", [b"whole"])
            raise ValueError("stop")
        assert not storage.exists("a") or storage.get("a") == b"whole"
        assert not storage.put_if_absent("a", [b"whole"]) or storage.get("a") == b"whole"
