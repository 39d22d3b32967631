"""What is put is what is got, once, and anything else is an IntegrityError that names the object."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mvc.errors import InputError, IntegrityError, StorageError
from mvc.objects import DTYPES, TensorSpec, hash_object, object_header, tensor_id
from mvc.odb import ObjectDatabase, loose_key
from mvc.odb.stored import MAGIC
from mvc.storage import LocalStorage, MemoryStorage
from mvc.testing.faults import Crash, FaultyFileSystem

SPEC = TensorSpec("F32", (40, 30))
DATA = (np.random.default_rng(1).normal(size=SPEC.shape) * 0.1).astype("f4").tobytes()


def test_tensors_round_trip() -> None:
    odb = ObjectDatabase(MemoryStorage())
    for dtype in DTYPES:
        for shape in ((), (0,), (3, 0, 2), (8,), (4, 5, 6)):
            if DTYPES[dtype].bits < 8 and shape == ():
                continue
            spec = TensorSpec(dtype, shape)
            data = np.random.default_rng(0).bytes(spec.nbytes)
            object_id = odb.put_tensor(spec, data)
            assert object_id == tensor_id(spec, data)
            found, payload = odb.get_tensor(object_id)
            assert (found, bytes(payload)) == (spec, data)
            assert odb.spec_of(object_id) == spec
            assert odb.kind_of(object_id) == odb.verify(object_id) == "tensor"


def test_equal_bytes_of_another_shape_or_dtype_are_another_object() -> None:
    odb = ObjectDatabase(MemoryStorage())
    specs = [TensorSpec("F32", (2, 3)), TensorSpec("F32", (3, 2)), TensorSpec("I32", (2, 3))]
    assert len({odb.put_tensor(spec, bytes(24)) for spec in specs}) == 3


def test_small_objects_round_trip_and_keep_their_kind() -> None:
    odb = ObjectDatabase(MemoryStorage())
    object_id = odb.put("manifest", b"payload" * 100)
    assert odb.get("manifest", object_id) == b"payload" * 100
    assert odb.kind_of(object_id) == "manifest"
    with pytest.raises(IntegrityError, match="is a manifest, not a commit"):
        odb.get("commit", object_id)
    with pytest.raises(IntegrityError, match="not a tensor"):
        odb.get_tensor(object_id)
    with pytest.raises(IntegrityError):
        odb.spec_of(object_id)


def test_views_of_any_shape_are_taken() -> None:
    odb = ObjectDatabase(MemoryStorage())
    for shape in ((0, 3), (2, 3), ()):
        array = np.zeros(shape, "f4")
        spec = TensorSpec("F32", shape)
        assert odb.put_tensor(spec, array.data) == tensor_id(spec, array.tobytes())


def test_wrong_length_is_refused() -> None:
    with pytest.raises(InputError):
        ObjectDatabase(MemoryStorage()).put_tensor(SPEC, DATA[:-4])


def test_a_header_longer_than_one_read_is_found_whole() -> None:
    odb = ObjectDatabase(MemoryStorage())
    spec = TensorSpec("U8", (1,) * 2000)
    assert odb.spec_of(odb.put_tensor(spec, b"x")) == spec


def test_a_known_object_is_not_written_again(tmp_path: Path) -> None:
    ObjectDatabase(LocalStorage(tmp_path)).put_tensor(SPEC, DATA)
    fs = FaultyFileSystem()
    odb = ObjectDatabase(LocalStorage(tmp_path, fs=fs))
    odb.put_tensor(SPEC, DATA)
    with odb.batch():
        odb.put_tensor(SPEC, DATA)
    assert set(fs.operations) == {"fsync_directory"}


def test_stored_form_is_the_one_that_the_spec_describes(tmp_path: Path) -> None:
    """Written by hand from docs/internals/repository-format.md."""
    odb = ObjectDatabase(LocalStorage(tmp_path))
    object_id = odb.put("commit", b"hello")
    stored = (tmp_path / loose_key(object_id)).read_bytes()
    assert stored == b"mvco" + bytes([1, 0, 0, 0]) + (8).to_bytes(4, "little") + (5).to_bytes(8, "little") + (
        b"commit \0" + b"hello"
    )
    assert object_id == hash_object(object_header("commit"), (b"hello",))


def damage_flip(stored: bytes) -> bytes:
    return stored[:-1] + bytes([stored[-1] ^ 1])


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "flipped": damage_flip,
    "cut": lambda stored: stored[: len(stored) // 2],
    "cut to its head": lambda stored: stored[:10],
    "emptied": lambda stored: b"",
    "zeroed": lambda stored: bytes(len(stored)),
    "longer": lambda stored: stored + b"more",
    "another's": lambda stored: stored.replace(b"F32 40,30", b"F32 30,40"),
    "of a newer version": lambda stored: MAGIC + b"\2" + stored[5:],
    "of an unknown codec": lambda stored: stored[:5] + b"\x0f" + stored[6:],
    "size of 2**63": lambda stored: stored[:12] + (1 << 63).to_bytes(8, "little") + stored[20:],
    "header of 2**31": lambda stored: stored[:8] + (1 << 31).to_bytes(4, "little") + stored[12:],
}


@pytest.mark.parametrize("how", DAMAGE)
@pytest.mark.parametrize("compress", [True, False])
def test_a_damaged_object_is_never_returned(tmp_path: Path, how: str, compress: bool) -> None:
    odb = ObjectDatabase(LocalStorage(tmp_path), compress=compress)
    object_id = odb.put_tensor(SPEC, DATA)
    path = tmp_path / loose_key(object_id)
    stored = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(DAMAGE[how](stored))
    for read in (odb.get_tensor, odb.verify):
        with pytest.raises(IntegrityError, match=object_id) as caught:
            read(object_id)
        assert caught.value.hint
    path.unlink()
    with pytest.raises(IntegrityError, match=f"{object_id} is missing"):
        odb.get_tensor(object_id)
    assert odb.put_tensor(SPEC, DATA) == object_id
    assert bytes(odb.get_tensor(object_id)[1]) == DATA


@given(st.data())
@settings(deadline=None)
def test_no_changed_byte_goes_unnoticed(data: st.DataObject) -> None:
    storage = MemoryStorage()
    odb = ObjectDatabase(storage, compress=data.draw(st.booleans()))
    object_id = odb.put_tensor(SPEC, DATA)
    stored = bytearray(storage.get(loose_key(object_id)))
    stored[data.draw(st.integers(0, len(stored) - 1))] ^= data.draw(st.integers(1, 255))
    storage.delete(loose_key(object_id))
    storage.put_if_absent(loose_key(object_id), [bytes(stored)])
    try:
        spec, payload = odb.get_tensor(object_id)
    except IntegrityError:
        return
    assert (spec, bytes(payload)) == (SPEC, DATA)  # a bit of the frame that means nothing


def test_a_batch_that_stops_anywhere_leaves_only_whole_objects(tmp_path: Path) -> None:
    n = 0
    while True:
        root = tmp_path / str(n)
        root.mkdir()
        odb = ObjectDatabase(LocalStorage(root, fs=FaultyFileSystem(n)))
        try:
            with odb.batch():
                for i in range(4):
                    odb.put("commit", b"%d" % i * 300)
        except Crash:
            after = ObjectDatabase(LocalStorage(root))
            assert all(after.verify(object_id) == "commit" for object_id in after.ids())
        else:
            break
        n += 1
    assert n > 10
    assert len(list(ObjectDatabase(LocalStorage(root)).ids())) == 4


def test_a_full_disk_fails_the_whole_batch_and_leaves_no_litter(tmp_path: Path) -> None:
    for n in range(12):  # creates, writes and syncs come first
        root = tmp_path / str(n)
        root.mkdir()
        odb = ObjectDatabase(LocalStorage(root, fs=FaultyFileSystem(n, error=errno.ENOSPC)))
        with pytest.raises(StorageError, match="the disk is full"), odb.batch():
            for i in range(4):
                odb.put("commit", b"%d" % i * 300)
        assert [path for path in root.rglob("*") if path.is_file()] == []


class DatabaseMachine(RuleBasedStateMachine):
    """The database against a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.odb = ObjectDatabase(MemoryStorage())
        self.model: dict[str, tuple[TensorSpec, bytes]] = {}

    @rule(dtype=st.sampled_from(["F32", "BF16", "I8", "C64"]), numel=st.integers(0, 200), seed=st.integers(0, 3))
    def put(self, dtype: str, numel: int, seed: int) -> None:
        spec = TensorSpec(dtype, (numel,))
        data = np.random.default_rng(seed).integers(0, 3, spec.nbytes, dtype=np.uint8).tobytes()
        self.model[self.odb.put_tensor(spec, data)] = (spec, data)

    @invariant()
    def same(self) -> None:
        assert list(self.odb.ids()) == sorted(self.model)
        for object_id, (spec, data) in self.model.items():
            found, payload = self.odb.get_tensor(object_id)  # type: ignore[arg-type]
            assert (found, bytes(payload)) == (spec, data)


DatabaseMachine.TestCase.settings = settings(max_examples=20, stateful_step_count=15, deadline=None)
TestDatabaseAgainstDict = DatabaseMachine.TestCase
