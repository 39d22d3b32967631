"""Every stored form, in every place, is what was proved when it was written, or is told not to be."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from blake3 import blake3

from mvc.objects import ObjectId, TensorSpec
from mvc.odb import Form, ObjectDatabase, check_forms
from mvc.odb.consolidation import consolidate
from mvc.odb.packing import PackWriter
from mvc.storage import MemoryStorage, Storage
from mvc.testing.walks import walk

SPEC = TensorSpec("F32", (4096,))


def chain(storage: Storage, count: int = 3) -> list[ObjectId]:
    """Tensors, each in a pack of its own and stored as its difference from the one before."""
    odb = ObjectDatabase(storage)
    ids: list[ObjectId] = []
    for data in walk(count):
        with odb.batch():
            ids.append(odb.put_tensor(SPEC, data, bases=ids[-1:]))
    return ids


def check(storage: Storage, *, decode: bool = False) -> Mapping[ObjectId, list[Form]]:
    return check_forms(ObjectDatabase(storage), decode=decode, threaded=True, told=lambda done, total: None)


def change(storage: MemoryStorage, object_id: ObjectId, edit: Callable[[bytearray], None]) -> None:
    """Changes a stored form where it lies, in its pack."""
    odb = ObjectDatabase(storage)
    key = odb.key_of(object_id)
    pack = odb.packs[key]
    offset, length = pack.span(pack.ids().index(object_id))
    data = bytearray(storage.get(key))
    stored = data[offset : offset + length]
    edit(stored)
    data[offset : offset + length] = stored
    storage.delete(key)
    storage.put_if_absent(key, (bytes(data),))


def write(storage: Storage, forms: Mapping[ObjectId, bytes], *, proved: bool) -> str:
    writer = PackWriter(storage)
    for object_id, stored in forms.items():
        writer.append(object_id, (stored,), proved=proved)
    key = writer.finish()
    assert key is not None
    return key


def test_what_is_as_it_was_written_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    storage = MemoryStorage()
    ids = chain(storage)
    monkeypatch.setattr(ObjectDatabase, "verify", lambda *args, **kwargs: pytest.fail("decoded"))
    found = check(storage)
    assert found.keys() == set(ids)
    assert all(form.proved and form.error is None for forms in found.values() for form in forms)
    assert [found[one][0].link.bases for one in ids if found[one][0].link] == [(), (ids[0],), (ids[1],)]


@pytest.mark.parametrize("at", [0, 5, 20, 51, 60, -1], ids=["magic", "codec", "base", "its end", "header", "payload"])
def test_a_flipped_bit_anywhere_is_that_objects_own_damage(at: int) -> None:
    """Also where it makes the object rest on another one, which nobody has."""
    storage = MemoryStorage()
    ids = chain(storage)

    def flip(stored: bytearray) -> None:
        stored[at] ^= 4

    change(storage, ids[1], flip)
    found = check(storage)
    assert [found[one][0].error is None for one in ids] == [True, False, True]
    error = found[ids[1]][0].error
    assert error is not None and ids[1] in error.message


def test_a_large_form_is_hashed_in_pieces() -> None:
    storage = MemoryStorage()
    odb = ObjectDatabase(storage)
    with odb.batch():
        large = odb.put_tensor(TensorSpec("U8", (3 << 20,)), np.random.default_rng(0).bytes(3 << 20))
        small = odb.put("commit", b"x")
    assert {form.error for forms in check(storage).values() for form in forms} == {None}

    def flip(stored: bytearray) -> None:
        stored[-1] ^= 1

    change(storage, large, flip)
    found = check(storage)
    assert found[large][0].error is not None and found[small][0].error is None


def test_what_has_no_checksum_is_decoded_and_keeps_none() -> None:
    storage = MemoryStorage()
    ids = chain(storage)
    odb = ObjectDatabase(storage)
    sound, damaged = odb.stored_form(ids[0]), bytearray(odb.stored_form(ids[1]))
    damaged[-1] ^= 1
    other = MemoryStorage()
    write(other, {ids[0]: sound}, proved=False)
    write(other, {ids[1]: bytes(damaged)}, proved=False)
    for _ in range(2):
        found = check(other)
        assert [(found[one][0].proved, found[one][0].error is None) for one in ids[:2]] == [
            (False, True),
            (False, False),
        ]
        packs = ObjectDatabase(other).packs
        consolidate(other, list(packs.values()))
    assert len(ObjectDatabase(other).packs) == 1


def test_packs_made_of_packs_keep_checksums_and_leave_what_is_damaged() -> None:
    storage = MemoryStorage()
    ids = chain(storage, 4)

    def flip(stored: bytearray) -> None:
        stored[-1] ^= 1

    change(storage, ids[3], flip)
    broken = ObjectDatabase(storage).key_of(ids[3])
    consolidate(storage, list(ObjectDatabase(storage).packs.values()))
    assert len(ObjectDatabase(storage).packs) == 2
    found = check(storage)
    assert [form.proved for one in ids[:3] for form in found[one]] == [True] * 3
    assert found[ids[3]][0].key == broken and found[ids[3]][0].error is not None


def test_only_decoding_finds_what_was_never_that_object() -> None:
    """A writer that lied, or whose memory did."""
    storage = MemoryStorage()
    ids = chain(storage, 2)
    other = MemoryStorage()
    write(other, {ids[0]: ObjectDatabase(storage).stored_form(ids[0])[:-4] + b"oops"}, proved=True)
    assert check(other)[ids[0]][0].error is None
    assert check(other, decode=True)[ids[0]][0].error is not None


def test_packs_of_version_1_are_read_and_decoded() -> None:
    """Their rows have no checksums."""
    storage, old = MemoryStorage(), MemoryStorage()
    ids = chain(storage, 1)
    stored = ObjectDatabase(storage).stored_form(ids[0])
    name, length = bytes.fromhex(ids[0]), len(stored).to_bytes(8, "little")
    head = b"mvcp" + bytes([1, 0, 0, 0])
    index = name + (52).to_bytes(8, "little") + length
    footer = b"mvct" + bytes(4) + (1).to_bytes(8, "little")
    digest = blake3(head + index + footer)
    data = head + b"mvce" + name + length + stored + index + footer + digest.digest()
    old.put_if_absent(f"packs/{digest.hexdigest()}", (data,))
    assert bytes(ObjectDatabase(old).get_tensor(ids[0])[1]) == walk(1)[0]
    [form] = check(old)[ids[0]]
    assert not form.proved and form.error is None
