"""What the object database reads: stored objects, differences, packs."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Mapping
from pathlib import Path

import blake3
import numpy as np

from mvc.errors import IntegrityError, MvcError
from mvc.objects import (
    ObjectId,
    TensorSpec,
)
from mvc.odb import ObjectDatabase, Pack, loose_key, salvage
from mvc.odb.packs import scan
from mvc.odb.stored import parse_head, unpack
from mvc.storage import MemoryStorage
from mvc.testing.mutations import damage
from mvc.testing.readers.reader import Reader
from mvc.testing.readers.records import OPERATION


def _stored() -> tuple[ObjectDatabase, dict[ObjectId, bytes]]:
    odb = ObjectDatabase(MemoryStorage())
    values = (np.arange(600, dtype="<f4") / 1024).tobytes()
    ids = [
        odb.put_tensor(TensorSpec("F32", (30, 20)), values),
        odb.put_tensor(TensorSpec("U8", (300,)), random.Random(1).randbytes(300)),
        odb.put_tensor(TensorSpec("U8", (2000,)), bytes(range(50)) * 40),
        odb.put("operation", OPERATION.to_payload()),
    ]
    return odb, {object_id: odb.storage.get(loose_key(object_id)) for object_id in ids}


def _read_stored(data: bytes, scratch: Path) -> None:
    head = parse_head(data)
    if not isinstance(head, int):
        _ = head.kind, head.kind == "tensor" and head.spec
    refused = None
    for object_id in _STORED:
        try:
            unpack(object_id, data)
            return
        except MvcError as error:
            refused = error
    if refused is not None:
        raise refused


def _differences() -> tuple[bytes, Mapping[ObjectId, bytes]]:
    """A base and, as stored, tensors that are differences from it: by id."""
    storage = MemoryStorage()
    odb = ObjectDatabase(storage)
    rng = np.random.default_rng(5)
    base = rng.normal(size=(40, 50)).astype(np.float32)
    spec = TensorSpec("F32", base.shape)
    first = odb.put_tensor(spec, base.tobytes())
    found = {}
    for scale in (1e-6, 1e-4):
        near = (base * (1 + scale * rng.normal(size=base.shape))).astype(np.float32)
        object_id = odb.put_tensor(spec, near.tobytes(), bases=(first,))
        assert odb.bases_of(object_id) == (first,)
        found[object_id] = storage.get(loose_key(object_id))
    return storage.get(loose_key(first)), found


def _read_difference(data: bytes, scratch: Path) -> None:
    base, stored = _DIFFERENCES
    storage = MemoryStorage()
    first = parse_head(next(iter(stored.values())))
    assert not isinstance(first, int)
    for held in first.bases:
        storage.put_if_absent(loose_key(held), (base,))
    object_id = next((one for one, sample in stored.items() if sample == data), next(iter(stored)))
    storage.put_if_absent(loose_key(object_id), (data,))
    odb = ObjectDatabase(storage)
    _ = odb.bases_of(object_id), odb.depth(object_id)
    if odb.get_tensor(object_id)[0].shape != (40, 50):
        raise AssertionError("another tensor than its id says")


def _pack() -> bytes:
    odb = ObjectDatabase(MemoryStorage())
    with odb.batch():
        for number in range(5):
            odb.put("commit", b"%d" % number * 100)
    (key,) = odb.storage.list()
    return odb.storage.get(key)


def _spoil_pack(rng: random.Random, sample: bytes, others: tuple[bytes, ...]) -> bytes:
    """Half of them with a digest that fits all the same, as somebody hostile would write it."""
    data = damage(rng, sample, others)
    if rng.random() < 0.5 or len(data) < 56:
        return data
    count = int.from_bytes(data[-40:-32], "little")  # the footer: magic, salt, count, digest
    rows = data[-48 - 64 * count : -48] if count < 1000 else b""
    return data[:-32] + blake3.blake3(data[:8] + rows + data[-48:-32]).digest()


def _read_pack(data: bytes, scratch: Path) -> None:
    """Its name is its digest, which is the last that it holds."""
    storage, key = MemoryStorage(), f"packs/{data[-32:].hex():0>64}"
    storage.put_if_absent(key, (data,))
    for _, span in scan(storage, key):
        if span.offset + span.length > len(data):
            raise AssertionError("an entry beyond the end")
    odb = ObjectDatabase(storage)
    for object_id in odb.ids():
        with contextlib.suppress(IntegrityError):
            odb.get("commit", object_id)
    salvage(odb, [key])
    pack = Pack(storage, key)
    for _ in pack.entries():
        pass


_STORED: Mapping[ObjectId, bytes] = _stored()[1]
_DIFFERENCES = _differences()


def stored_readers() -> tuple[Reader, ...]:
    return (
        Reader("stored object", tuple(_STORED.values()), _read_stored),
        Reader("difference from a base", tuple(_DIFFERENCES[1].values()), _read_difference),
        Reader("pack", (_pack(),), _read_pack, _spoil_pack),
    )
