"""Better forms of what is stored: smaller, sound in any mixture of old and new, and none where there is none."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from mvc.objects import ObjectId, TensorSpec
from mvc.odb import ObjectDatabase, Reencoder, loose_key
from mvc.storage import MemoryStorage
from mvc.testing.walks import walk

SPEC = TensorSpec("F32", (64, 64))


def replace(odb: ObjectDatabase, object_id: ObjectId, form: bytes) -> None:
    odb.storage.delete(loose_key(object_id))
    odb.storage.put_if_absent(loose_key(object_id), (form,))


def test_a_base_that_is_found_late_makes_it_smaller() -> None:
    odb = ObjectDatabase(MemoryStorage())
    states = walk(3, step=1e-5, seed=1)
    ids = [odb.put_tensor(SPEC, data) for data in states]
    forms = {}
    reencoder = Reencoder(odb)
    for number, object_id in enumerate(ids):
        near = [ids[other] for other in (number - 1, number + 1) if 0 <= other < 3]
        form = reencoder.reencode(object_id, near)
        if form is not None:
            assert len(form) < odb.stored_size(object_id)
            odb.prove(object_id, form)
            forms[object_id] = form
    assert len(forms) == 2  # one of them has to stand by itself
    # in whatever order old forms give way to new ones, and wherever that stops, everything can be read
    for order in itertools.permutations(forms):
        store = ObjectDatabase(MemoryStorage())
        for data in states:
            store.put_tensor(SPEC, data)
        for object_id in order:
            replace(store, object_id, forms[object_id])
            reader = ObjectDatabase(store.storage)
            assert [bytes(reader.get_tensor(one)[1]) for one in ids] == states


@pytest.mark.parametrize("keyframe", [0, 2, 10])
def test_no_chain_grows_beyond_the_config(keyframe: int) -> None:
    odb = ObjectDatabase(MemoryStorage(), keyframe=keyframe)
    states = walk(12, step=1e-5, seed=1)
    ids: list[ObjectId] = []
    for number in (5, 0, 11, 3, 8, 1, 9, 2, 10, 4, 7, 6):
        ids.append(odb.put_tensor(SPEC, states[number], bases=ids[-1:]))
    before = sum(map(odb.stored_size, ids))
    reencoder = Reencoder(odb)
    for object_id in ids:
        form = reencoder.reencode(object_id, [one for one in ids if one != object_id][:2])
        if form is not None:
            replace(odb, object_id, form)
    again = ObjectDatabase(odb.storage)
    assert sum(map(again.stored_size, ids)) <= before
    assert max(map(again.depth, ids)) <= keyframe
    assert {bytes(again.get_tensor(object_id)[1]) for object_id in ids} == set(states)


def test_what_cannot_be_improved_is_left_alone() -> None:
    odb = ObjectDatabase(MemoryStorage())
    noise = np.random.default_rng(0).bytes(SPEC.nbytes)
    object_id = odb.put_tensor(SPEC, noise)
    manifest = odb.put("manifest", b"x" * 5000)
    reencoder = Reencoder(odb)
    assert reencoder.reencode(object_id) is None
    assert reencoder.reencode(object_id, [object_id, manifest, ObjectId("ab" * 32)]) is None
    assert reencoder.reencode(manifest) is None
