"""Tensors that rest on others: how far, on which, and what happens where one of those is gone or wrong."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from mvc.errors import IntegrityError
from mvc.objects import MAX_BASES, ObjectId, TensorSpec, hash_object
from mvc.odb import ObjectDatabase, loose_key
from mvc.odb.codecs import RESIDUALS, Encoded
from mvc.odb.stored import pack, unpack
from mvc.storage import MemoryStorage
from mvc.testing.walks import walk

SPEC = TensorSpec("F32", (64, 64))


def put_all(odb: ObjectDatabase, states: list[bytes]) -> list[ObjectId]:
    ids: list[ObjectId] = []
    for data in states:
        ids.append(odb.put_tensor(SPEC, data, bases=ids[: -3 if len(ids) > 2 else None : -1]))
    return ids


def fresh(odb: ObjectDatabase) -> ObjectDatabase:
    return ObjectDatabase(odb.storage)


@pytest.mark.parametrize("keyframe", [0, 1, 3, 10])
def test_no_tensor_needs_more_than_the_config_says(keyframe: int) -> None:
    odb = ObjectDatabase(MemoryStorage(), keyframe=keyframe)
    states = walk(25)
    ids = put_all(odb, states)
    again = fresh(odb)
    depths = [again.depth(object_id) for object_id in ids]
    assert max(depths) == keyframe
    for object_id, depth in zip(ids, depths, strict=True):
        needed: set[ObjectId] = set()
        pending = [object_id]
        while pending:
            below = again.bases_of(pending.pop())
            needed.update(below)
            pending += below
        assert len(needed) == depth
    assert [bytes(again.get_tensor(object_id)[1]) for object_id in ids] == states
    assert [again.verify(object_id) for object_id in ids] == ["tensor"] * 25


def test_a_full_chain_goes_on_from_its_root() -> None:
    odb = ObjectDatabase(MemoryStorage(), keyframe=3)
    ids = put_all(odb, walk(6))
    assert [odb.depth(object_id) for object_id in ids] == [0, 1, 2, 3, 1, 2]
    assert odb.bases_of(ids[4]) == (ids[0],)


def test_deltas_save_space() -> None:
    sizes = []
    for keyframe in (0, 10):
        odb = ObjectDatabase(MemoryStorage(), keyframe=keyframe)
        sizes.append(sum(map(odb.stored_size, put_all(odb, walk(10, step=1e-5)))))
    assert sizes[1] < 0.7 * sizes[0]


def test_hints_that_cannot_be_bases_are_passed_over() -> None:
    odb = ObjectDatabase(MemoryStorage())
    first, second = walk(2)
    other = odb.put_tensor(TensorSpec("F32", (4096,)), first)
    manifest = odb.put("manifest", b"x" * 5000)
    gone = ObjectId("ab" * 32)
    base = odb.put_tensor(SPEC, first)
    stored = odb.put_tensor(SPEC, second, bases=(gone, manifest, other, base))
    assert odb.bases_of(stored) == (base,)


def test_a_damaged_base_is_not_used() -> None:
    odb = ObjectDatabase(MemoryStorage())
    first, second = walk(2)
    base = odb.put_tensor(SPEC, first)
    damage(odb, base)
    stored = fresh(odb).put_tensor(SPEC, second, bases=(base,))
    assert odb.bases_of(stored) == ()
    assert bytes(odb.get_tensor(stored)[1]) == second


def test_a_base_that_is_gone_or_damaged_is_named() -> None:
    for harm in (damage, remove):
        odb = ObjectDatabase(MemoryStorage())
        ids = put_all(odb, walk(5))
        harm(odb, ids[1])
        again = fresh(odb)
        assert again.verify(ids[0]) == "tensor"
        for object_id in ids[1:]:
            with pytest.raises(IntegrityError, match=ids[1]):
                again.get_tensor(object_id)


def test_whoever_remembers_an_older_form_reads_the_newer_one() -> None:
    odb = ObjectDatabase(MemoryStorage())
    states = walk(5)
    ids = put_all(odb, states)
    reader = fresh(odb)
    assert reader.depth(ids[4]) == 4
    for object_id, data in zip(ids[1:4], states[1:4], strict=True):
        remove(odb, object_id)
        fresh(odb).put_tensor(SPEC, data)
    assert bytes(reader.get_tensor(ids[4])[1]) == states[4]


def test_a_circle_is_an_error() -> None:
    odb = ObjectDatabase(MemoryStorage())
    names = [ObjectId(f"{number:064x}") for number in (1, 2)]
    for reaches in ((1, 1), (2, 1), (1, 2), (3, 3)):
        for name, base, reach in zip(names, reversed(names), reaches, strict=True):
            forge(odb, name, (base,), reach)
        for name in names:
            with pytest.raises(IntegrityError, match="object"):
                fresh(odb).get_tensor(name)


def test_objects_that_claim_too_much_are_errors() -> None:
    odb = ObjectDatabase(MemoryStorage())
    ids = put_all(odb, walk(2))
    other = odb.put_tensor(TensorSpec("F32", (4096,)), walk(1, seed=3)[0])
    name = ObjectId("1" * 64)
    for bases, reach in (((ids[0],), 0), ((), 1), ((ids[0],), MAX_BASES + 1), ((other,), 1), ((ids[1],), 1)):
        forge(odb, name, bases, reach)
        with pytest.raises(IntegrityError, match=name):
            fresh(odb).get_tensor(name)
        with pytest.raises(IntegrityError, match=name):
            fresh(odb).verify(name)


def test_a_web_of_bases_is_read_once_each() -> None:
    """Each on the two before it: as many paths as Fibonacci's numbers, as many reads as objects."""
    odb = ObjectDatabase(MemoryStorage(), keyframe=MAX_BASES)
    states = walk(40)
    ids = put_all(odb, states)
    assert odb.depth(ids[-1]) == 39
    assert bytes(fresh(odb).get_tensor(ids[-1])[1]) == states[-1]


def test_what_lies_elsewhere_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    odb = ObjectDatabase(MemoryStorage())
    states = walk(6)
    ids = put_all(odb, states[:5])
    again = fresh(odb)
    decoded = counting(monkeypatch)
    with again.chains.looking(dict(zip(ids, states, strict=False)).get):
        stored = again.put_tensor(SPEC, states[5], bases=ids[:2:-1])
        assert again.recall(ids[0]) == (SPEC, states[0])
    assert again.depth(stored) == 5
    assert decoded == []
    assert bytes(fresh(odb).get_tensor(stored)[1]) == states[5]


def test_what_lies_elsewhere_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    odb = ObjectDatabase(MemoryStorage())
    states = walk(4)
    ids = put_all(odb, states)
    for lie in (states[0], b"", states[3][:-1]):
        again = fresh(odb)
        decoded = counting(monkeypatch)
        with again.chains.looking(lambda _, lie=lie: lie):  # type: ignore[misc]
            assert bytes(again.recall(ids[3])[1]) == states[3]
        assert ids[3] in decoded


def test_only_part_of_a_chain_lies_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    odb = ObjectDatabase(MemoryStorage())
    states = walk(6)
    ids = put_all(odb, states)
    again = fresh(odb)
    decoded = counting(monkeypatch)
    with again.chains.looking({ids[2]: states[2], ids[3]: states[3]}.get):
        assert bytes(again.recall(ids[5])[1]) == states[5]
    assert sorted(decoded) == sorted(ids[4:])


def test_what_is_not_stored_is_not_found_elsewhere() -> None:
    odb = ObjectDatabase(MemoryStorage())
    states = walk(4)
    ids = put_all(odb, states[:3])
    remove(odb, ids[0])
    again = fresh(odb)
    with again.chains.looking(dict(zip(ids, states, strict=False)).get):
        with pytest.raises(IntegrityError, match=ids[0]):
            again.recall(ids[0])
        assert again.bases_of(again.put_tensor(SPEC, states[3], bases=ids[:0:-1])) == ()


def counting(monkeypatch: pytest.MonkeyPatch) -> list[ObjectId]:
    """Ids of the objects that are decoded from now on."""
    found: list[ObjectId] = []

    def count(object_id: ObjectId, *more: Any) -> Any:
        found.append(object_id)
        return unpack(object_id, *more)

    for module in ("chains", "forms"):
        monkeypatch.setattr(f"mvc.odb.{module}.unpack", count)
    return found


def damage(odb: ObjectDatabase, object_id: ObjectId) -> None:
    content = bytearray(odb.storage.get(loose_key(object_id)))
    content[-5] ^= 1
    replace(odb, object_id, bytes(content))


def remove(odb: ObjectDatabase, object_id: ObjectId) -> None:
    odb.storage.delete(loose_key(object_id))


def replace(odb: ObjectDatabase, object_id: ObjectId, content: bytes) -> None:
    if odb.storage.exists(loose_key(object_id)):
        remove(odb, object_id)
    odb.storage.put_if_absent(loose_key(object_id), (content,))


def forge(odb: ObjectDatabase, object_id: ObjectId, bases: tuple[ObjectId, ...], reach: int) -> None:
    plan = struct.pack("<BbBH", reach, 0, 1, 0)
    assert hash_object(SPEC.header(), (plan,)) != object_id
    encoded = Encoded(RESIDUALS, (plan, b"\0\0\0\0\0" * 4), bases)
    replace(odb, object_id, b"".join(pack(SPEC.header(), SPEC.nbytes, encoded)))
