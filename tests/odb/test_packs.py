"""Packs: one file a batch, a checked trailer, and what is whole told from what is not."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from pathlib import Path

import blake3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mvc.errors import IntegrityError, MvcError, StorageError
from mvc.objects import ObjectId, hash_object, object_header
from mvc.odb import ObjectDatabase, Pack, check_forms, salvage
from mvc.odb.packs import scan
from mvc.storage import LocalStorage, MemoryStorage
from mvc.testing.faults import Crash, FaultyFileSystem


def fill(odb: ObjectDatabase, count: int = 4, start: int = 0) -> list[ObjectId]:
    with odb.batch():
        return [odb.put("commit", b"%d;" % i * 150) for i in range(start, start + count)]


def files(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def rewrite(storage: MemoryStorage, key: str, value: bytes) -> None:
    storage.delete(key)
    storage.put_if_absent(key, [value])


def test_a_pack_is_the_one_that_the_spec_describes() -> None:
    """Written by hand from docs/internals/repository-format.md."""
    storage = MemoryStorage()
    odb = ObjectDatabase(storage)
    with odb.batch():
        ids = [odb.put("commit", b"hello"), odb.put("commit", b"there")]
    stored = [
        b"mvco" + bytes([1, 0, 0, 0]) + (8).to_bytes(4, "little") + (5).to_bytes(8, "little") + b"commit \0" + word
        for word in (b"hello", b"there")
    ]
    head = b"mvcp" + bytes([2, 0, 0, 0])
    entries, index, at = b"", {}, len(head)
    for object_id, data in zip(ids, stored, strict=True):
        name, length = bytes.fromhex(object_id), len(data).to_bytes(8, "little")
        entries += b"mvce" + name + length + data
        index[object_id] = name + (at + 44).to_bytes(8, "little") + length + blake3.blake3(data).digest(16)
        at += 44 + len(data)
    rows = b"".join(index[one] for one in sorted(index))
    footer = b"mvct" + bytes(4) + (2).to_bytes(8, "little")
    digest = blake3.blake3(head + rows + footer)
    [key] = storage.list()
    assert key == f"packs/{digest.hexdigest()}"
    assert storage.get(key) == head + entries + rows + footer + digest.digest()


def test_a_batch_is_one_file_and_an_empty_one_is_none(tmp_path: Path) -> None:
    odb = ObjectDatabase(LocalStorage(tmp_path))
    with odb.batch():
        pass
    assert files(tmp_path) == []
    ids = fill(odb)
    [name] = files(tmp_path)
    assert name.startswith("packs/")
    assert list(odb.ids()) == sorted(ids)
    assert odb.key_of(ids[0]) == name
    fill(odb)
    assert files(tmp_path) == [name]
    loose = odb.put("commit", b"alone")
    assert odb.key_of(loose) == f"objects/{loose[:2]}/{loose[2:]}"
    with odb.batch():
        odb.put("commit", b"alone")
    assert len(files(tmp_path)) == 2


def test_a_batch_reads_its_own_puts_and_others_do_not_see_them(tmp_path: Path) -> None:
    odb = ObjectDatabase(LocalStorage(tmp_path))
    with odb.batch():
        one = odb.put("commit", b"one" * 100)
        with odb.batch():
            two = odb.put("manifest", b"two" * 100)
        assert odb.get("commit", one) == b"one" * 100
        assert odb.kind_of(two) == "manifest"
        assert odb.contains(one) and odb.stored_size(one) > 0
        assert list(odb.ids()) == sorted([one, two])
        other = ObjectDatabase(LocalStorage(tmp_path))
        assert not other.contains(one)
    assert other.get("commit", one) == b"one" * 100


def test_an_abandoned_batch_leaves_nothing(tmp_path: Path) -> None:
    odb = ObjectDatabase(LocalStorage(tmp_path))
    with pytest.raises(ValueError, match="stop"), odb.batch():
        lost = odb.put("commit", b"x")
        raise ValueError("stop")
    assert files(tmp_path) == []
    assert not odb.contains(lost)
    assert len(fill(odb)) == 4


def test_many_threads_put_into_one_batch(tmp_path: Path) -> None:
    odb = ObjectDatabase(LocalStorage(tmp_path))
    found: list[set[ObjectId]] = [set() for _ in range(4)]

    def put(mine: set[ObjectId]) -> None:
        for i in range(60):
            payload = b"%d," % i * 300
            object_id = odb.put("commit", payload)
            assert odb.get("commit", object_id) == payload
            mine.add(object_id)

    with odb.batch():
        threads = [threading.Thread(target=put, args=(mine,)) for mine in found]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert all(mine == found[0] for mine in found) and len(found[0]) == 60
    [pack] = odb.packs.values()
    assert pack.ids() == sorted(found[0])
    assert [object_id for object_id, _ in pack.entries()] != pack.ids()  # in order of arrival
    assert all(odb.verify(object_id) for object_id in found[0])


def test_hundreds_of_packs_are_looked_through(tmp_path: Path) -> None:
    storage = MemoryStorage()
    odb = ObjectDatabase(storage)
    ids = [object_id for i in range(300) for object_id in fill(odb, 2, 2 * i)]
    for database in (odb, ObjectDatabase(storage)):
        assert list(database.ids()) == sorted(ids)
        assert all(database.contains(object_id) for object_id in ids)
        assert database.get("commit", ids[577]) == b"577;" * 150
        assert not database.contains(hash_object(object_header("commit"), (b"nothing",)))
        assert list(database.ids(ids[5][:3])) == sorted(one for one in ids if one.startswith(ids[5][:3]))


def test_whoever_listed_packs_before_looks_again(tmp_path: Path) -> None:
    writer, reader = ObjectDatabase(LocalStorage(tmp_path)), ObjectDatabase(LocalStorage(tmp_path))
    [first] = fill(writer, 1)
    assert reader.contains(first)
    [second] = fill(writer, 1, 1)
    assert reader.get("commit", second) == b"1;" * 150
    # both move to another pack, and the old ones go
    old = dict(writer.packs)
    third = ObjectDatabase(LocalStorage(tmp_path))
    for key in old:
        third.ignore(key)
    with third.batch():
        for pack in old.values():
            for object_id, stored in pack.entries():
                assert third.adopt(object_id, stored)
    third.storage.delete(*old)
    assert reader.get("commit", first) == b"0;" * 150
    assert reader.stored_size(second) == writer.stored_size(second)
    assert writer.contains(first)


def stop(tmp_path: Path, n: int, **how: object) -> tuple[Path, type[BaseException] | None]:
    root = tmp_path / str(n)
    root.mkdir()
    fill(ObjectDatabase(LocalStorage(root)), 1, 9)
    try:
        fill(ObjectDatabase(LocalStorage(root, fs=FaultyFileSystem(n, **how))))  # type: ignore[arg-type]
    except (Crash, StorageError) as error:
        return root, type(error)
    return root, None


def test_a_process_that_stops_anywhere_in_a_batch_leaves_all_or_nothing_of_it(tmp_path: Path) -> None:
    outcomes = []
    for n in range(1000):
        root, error = stop(tmp_path, n)
        after = ObjectDatabase(LocalStorage(root))
        assert len([after.verify(object_id) for object_id in after.ids()]) in (1, 5)
        assert after.damaged_packs == {}
        outcomes.append(len(list(after.ids())))
        if error is None:
            break
    assert len(outcomes) > 10 and outcomes == sorted(outcomes)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_fails_anywhere_in_a_batch_leaves_no_litter(tmp_path: Path, number: int) -> None:
    for n in range(1000):
        root, error = stop(tmp_path, n, error=number)
        assert not [name for name in files(root) if "tmp-" in name]
        assert len(list(ObjectDatabase(LocalStorage(root)).ids())) in (1, 5)
        if error is None:
            break
    assert n > 10


def test_what_is_appended_after_a_failure_never_gets_a_name(tmp_path: Path) -> None:
    """Whoever ignores the error of one put cannot finish the batch: a torn entry may be in the file."""
    odb = ObjectDatabase(LocalStorage(tmp_path, fs=FaultyFileSystem(5, error=errno.EIO)))
    with pytest.raises(StorageError), odb.batch():
        for i in range(4):
            try:
                odb.put("commit", b"%d" % i * 300)
            except StorageError:
                continue
    assert files(tmp_path) == []


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "cut by one": lambda data: data[:-1],
    "longer": lambda data: data + b"x",
    "zeroed": lambda data: bytes(len(data)),
    "a flipped head": lambda data: data[:4] + b"\x09" + data[5:],
    "a flipped index": lambda data: data[:-100] + bytes([data[-100] ^ 1]) + data[-99:],
    "a flipped footer": lambda data: data[:-40] + bytes([data[-40] ^ 1]) + data[-39:],
    "2**60 entries": lambda data: data[:-40] + (1 << 60).to_bytes(8, "little") + data[-32:],
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_trailer_is_named_and_hides_nothing_else(how: str) -> None:
    storage = MemoryStorage()
    odb = ObjectDatabase(storage)
    lost = fill(odb)
    [key] = storage.list()
    kept = fill(odb, 2, 4)
    rewrite(storage, key, DAMAGE[how](storage.get(key)))
    after = ObjectDatabase(storage)
    assert after.get("commit", kept[0]) == b"4;" * 150
    assert list(after.damaged_packs) == [key]
    assert key in after.damaged_packs[key].message
    with pytest.raises(IntegrityError, match=key):
        after.get("commit", lost[0])
    assert all(odb.verify(object_id) for object_id in kept)


@pytest.mark.parametrize("how", ["cut by one", "longer", "a flipped index", "a flipped footer", "2**60 entries"])
def test_everything_is_salvaged_where_only_the_trailer_is_lost(how: str) -> None:
    storage = MemoryStorage()
    ids = fill(ObjectDatabase(storage))
    [key] = storage.list()
    rewrite(storage, key, DAMAGE[how](storage.get(key)))
    odb = ObjectDatabase(storage)
    assert salvage(odb, [key]) == {key: (set(ids), set())}
    storage.delete(key)
    assert [ObjectDatabase(storage).get("commit", one) for one in ids] == [b"%d;" % i * 150 for i in range(4)]


def hostile(offset: int, length: int) -> tuple[MemoryStorage, str]:
    """A pack whose trailer is sound but says what cannot be."""
    head, footer = b"mvcp" + bytes([1, 0, 0, 0]), b"mvct" + bytes(4) + (1).to_bytes(8, "little")
    row = bytes(32) + offset.to_bytes(8, "little") + length.to_bytes(8, "little")
    digest = blake3.blake3(head + row + footer)
    storage = MemoryStorage()
    storage.put_if_absent(f"packs/{digest.hexdigest()}", [head + bytes(100) + row + footer + digest.digest()])
    return storage, f"packs/{digest.hexdigest()}"


@pytest.mark.parametrize(("offset", "length"), [(0, 10), (60, 1 << 63), ((1 << 64) - 1, 2), (108, 1), (52, 57)])
def test_an_index_that_points_elsewhere_is_refused(offset: int, length: int) -> None:
    storage, key = hostile(offset, length)
    with pytest.raises(IntegrityError, match="does not add up"):
        Pack(storage, key)


@given(st.data())
@settings(deadline=None, max_examples=150)
def test_no_changed_byte_of_a_pack_goes_unnoticed(data: st.DataObject) -> None:
    storage = MemoryStorage()
    ids = fill(ObjectDatabase(storage))
    [key] = storage.list()
    value = bytearray(storage.get(key))
    at = data.draw(st.integers(0, len(value) - 1))
    value[at] ^= data.draw(st.integers(1, 255))
    rewrite(storage, key, bytes(value))
    odb = ObjectDatabase(storage)
    whole = 0
    for i, object_id in enumerate(ids):
        try:
            assert odb.get("commit", object_id) == b"%d;" % i * 150
        except IntegrityError as error:
            assert object_id in error.message
        else:
            whole += 1
    assert whole in (0, 3, 4)  # the trailer, one object, or the head of an entry
    forms = [
        form
        for some in check_forms(odb, decode=False, threaded=False, told=lambda done, total: None).values()
        for form in some
    ]
    assert [form.error is None for form in forms].count(False) == (1 if whole else 0)
    assert len(salvage(odb, [key])[key].whole & set(ids)) >= max(3, whole)


@given(st.binary(max_size=300), st.booleans())
@settings(deadline=None)
def test_any_bytes_are_a_pack_or_an_error(noise: bytes, begins: bool) -> None:
    storage = MemoryStorage()
    key = "packs/" + "a" * 64
    storage.put_if_absent(key, [(b"mvcp\1\0\0\0" if begins else b"") + noise + b"mvce" + noise])
    with pytest.raises(MvcError):
        Pack(storage, key)
    for _, span in scan(storage, key):
        assert span.offset + span.length <= storage.size(key)
