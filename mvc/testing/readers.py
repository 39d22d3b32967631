"""Everything of mvc that reads bytes which somebody else may have written, each with samples of what it reads.

Owns the list that fuzzing goes through (``tests/reliability``, ``benchmarks/storage/fuzz.py``). A reader either takes
what it is given or raises an error of ``mvc.errors``; anything else is a defect.
"""

from __future__ import annotations

import contextlib
import io
import json
import random
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import blake3
import numpy as np
import torch
from safetensors.numpy import save

from mvc.drift import parse_policy
from mvc.embedding.embedder import Embedder, from_bytes
from mvc.embedding.recipes import Recipe
from mvc.errors import InputError, IntegrityError, MvcError
from mvc.formats import assemble, open_checkpoint, skeleton_of
from mvc.formats.lfs import parse_lfs_pointer
from mvc.index import Index
from mvc.objects import (
    Commit,
    FileEntry,
    Hole,
    Manifest,
    Memory,
    ObjectId,
    Operation,
    Skeleton,
    TensorEntry,
    TensorSpec,
    canonical,
    tensor_id,
)
from mvc.odb import ObjectDatabase, Pack, loose_key, salvage
from mvc.odb.packs import scan
from mvc.odb.stored import parse_head, unpack
from mvc.porcelain.pointers import Pointer, parse_pointer
from mvc.repository.config import parse_config
from mvc.repository.layout import read_template
from mvc.storage import REAL, MemoryStorage
from mvc.testing.mutations import damage, damage_json

ID, _OTHER = ObjectId("ab" * 32), ObjectId("cd" * 32)


@dataclass(frozen=True)
class Reader:
    """``samples`` are sound. ``read`` gets bytes and a scratch directory. ``spoil`` makes one input of a sample.

    ``weight``: how many inputs it gets beside the others; less for those that are slow.
    """

    name: str
    samples: tuple[bytes, ...]
    read: Callable[[bytes, Path], object]
    spoil: Callable[[random.Random, bytes, tuple[bytes, ...]], bytes] = damage
    weight: int = 10

    def inputs(self, rng: random.Random) -> Iterator[bytes]:
        """Damaged samples, without end."""
        while True:
            yield self.spoil(rng, rng.choice(self.samples), self.samples)


def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    return {
        "a.weight": rng.normal(size=(6, 4)).astype(np.float32),
        "a.bias": np.zeros(6, np.float64),
        "n": np.array(3, np.int64),
        "half": rng.normal(size=5).astype(np.float16),
        "none": np.zeros((0, 2), np.float32),
    }


def read_file(data: bytes, scratch: Path, name: str = "model.bin") -> None:
    """As `commit` does: head, every tensor, skeleton, and the file put together again."""
    path = scratch / name
    path.write_bytes(data)
    with open_checkpoint(path) as opened:
        _ = opened.specs, opened.facts
        for _, file in opened.files:
            held: dict[ObjectId, bytes] = {}
            entries = []
            for index, tensor in enumerate(file.tensors):
                content = bytes(file.read(index))
                object_id = tensor_id(tensor.spec, content)
                held[object_id] = content
                entries.append(TensorEntry(tensor.name, object_id, tensor.spec, tensor.role))
            restored = assemble(skeleton_of(file), entries, held.__getitem__)
            if b"".join(bytes(chunk) for chunk in restored) != data:
                raise AssertionError("a file that was read is not put together again")


def _saved(value: Any, *, legacy: bool = False) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer, _use_new_zipfile_serialization=not legacy)
    return buffer.getvalue()


def _npz() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays())  # type: ignore[arg-type]
    return buffer.getvalue()


def _index_json() -> bytes:
    names = {name: f"model-0000{1 + n % 2}-of-00002.safetensors" for n, name in enumerate(arrays())}
    size = sum(array.nbytes for array in arrays().values())
    return json.dumps({"metadata": {"total_size": size}, "weight_map": names}).encode()


def _read_shards(data: bytes, scratch: Path) -> None:
    directory = scratch / "sharded"
    directory.mkdir(exist_ok=True)
    for shard in range(2):
        part = {name: array for n, (name, array) in enumerate(arrays().items()) if n % 2 == shard}
        (directory / f"model-0000{1 + shard}-of-00002.safetensors").write_bytes(save(part))
    (directory / "model.safetensors.index.json").write_bytes(data)
    with open_checkpoint(directory) as opened:
        _ = opened.specs


def _read_trainer(data: bytes, scratch: Path) -> None:
    directory = scratch / "checkpoint-3"
    directory.mkdir(exist_ok=True)
    (directory / "model.safetensors").write_bytes(save(arrays()))
    (directory / "trainer_state.json").write_bytes(data)
    with open_checkpoint(directory) as opened:
        _ = opened.specs, opened.facts


def _stored() -> tuple[ObjectDatabase, dict[ObjectId, bytes]]:
    odb = ObjectDatabase(MemoryStorage())
    values = (np.arange(600, dtype="<f4") / 1024).tobytes()
    ids = [
        odb.put_tensor(TensorSpec("F32", (30, 20)), values),
        odb.put_tensor(TensorSpec("U8", (300,)), random.Random(1).randbytes(300)),
        odb.put_tensor(TensorSpec("U8", (2000,)), bytes(range(50)) * 40),
        odb.put("operation", _OPERATION.to_payload()),
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


_SPEC = TensorSpec("F32", (2, 3))
_COMMIT = Commit(
    ID, "a/b.pt", "2024-01-01T00:00:00.000000+00:00", "me", "hi", 1.0, "user", "r", ID, {"loss": 0.5}, {"k": "v"}
)
_OPERATION = Operation((ID,), _COMMIT.time, "me", "tag", (ID,), {"v": ID, "w": None}, {"s": "t"}, (ID,))
_MEMORY = Memory(ID, _COMMIT.time, "why", {ID: "abcd", _OTHER: None}, {"a b": 0.5}, {"c": {"d": "e"}}, 0.1)
_MANIFEST = Manifest((FileEntry("", "npz", 29, "0" * 64, ID, (TensorEntry("w", ID, _SPEC, "weight"),)),))
_SKELETON = Skeleton(29, (Hole(5, 24, 0, (1, 0)),), b"12345")
_STORED: Mapping[ObjectId, bytes] = _stored()[1]
_DIFFERENCES = _differences()


def _spoil_record(rng: random.Random, sample: bytes, others: tuple[bytes, ...]) -> bytes:
    """Half of them canonical JSON that says something odd: bytes that hash to their name and are wrong all the same."""
    if rng.random() < 0.5:
        return damage(rng, sample, others)
    head, newline, rest = sample.partition(b"\n")
    value = json.loads(head)
    for _ in range(rng.choice((1, 1, 2, 3))):
        value = damage_json(rng, value)
    try:
        return canonical.encode(value) + newline + rest
    except InputError:  # no JSON holds it
        return damage(rng, sample, others)


def _read_commit(data: bytes, scratch: Path) -> None:
    commit = Commit.from_payload(data)
    _ = commit.id, sorted(commit.metrics.items()), sorted(commit.extra.items()), f"{commit.time[:19]} {commit.path}"
    _ = commit.manifest + commit.author + commit.message + (commit.run or "") + (commit.parent or "")
    _ = (commit.step or 0.0) + 1.0


def _read_operation(data: bytes, scratch: Path) -> None:
    operation = Operation.from_payload(data)
    _ = operation.id, operation.embedders, "".join((*operation.parents, *operation.commits, *operation.removed))
    _ = [name + (value or "") for name, value in (*operation.tags.items(), *operation.settings.items())]


def _read_manifest(data: bytes, scratch: Path) -> None:
    manifest = Manifest.from_payload(data)
    _ = manifest.id, manifest.weights, manifest.nbytes, "".join(manifest.objects())
    _ = [file.path + file.format + file.digest for file in manifest.files]
    _ = [entry.spec.header() for file in manifest.files for entry in file.tensors]
    if manifest.to_payload() != data:
        raise AssertionError("a manifest has two spellings")


def _read_skeleton(data: bytes, scratch: Path) -> None:
    skeleton = Skeleton.from_payload(data)
    content = bytes(24)
    entry = TensorEntry("w", ID, _SPEC, "weight")
    for _ in assemble(skeleton, [entry], lambda _: content):
        pass
    if skeleton.to_payload() != data:
        raise AssertionError("a skeleton has two spellings")


def _read_config(data: bytes, scratch: Path) -> None:
    parse_config(data, "config.toml")


def _read_policy(data: bytes, scratch: Path) -> None:
    try:
        table = tomllib.loads(data.decode())
    except (ValueError, RecursionError):
        return  # what `mvc.porcelain.policy` says of it
    parse_policy(table, "policy.toml")


def _sample_index() -> bytes:
    index = Index(None)
    index.prepare()
    return bytes(index._engine.raw_connection().driver_connection.serialize())  # type: ignore[union-attr]


def _read_index(data: bytes, scratch: Path) -> None:
    file = scratch / "index.sqlite"
    for suffix in ("", "-wal", "-shm", "-journal"):
        (scratch / f"index.sqlite{suffix}").unlink(missing_ok=True)
    file.write_bytes(data)
    index = Index(file)
    if index.stamp() is None:
        index.prepare()
    index.dump()


def _embedder() -> bytes:
    recipe = Recipe("small", statistics=True, width=4, heads=1, feedforward=4, latent=2, projection=(2, 2), loss="E_cD")
    return Embedder({"fc1.weight": (3, 4), "fc2.weight": (2, 3)}, recipe).to_bytes()


def readers() -> tuple[Reader, ...]:
    """All of them. Samples are made anew with each call; none is larger than some 20 kB."""
    state = {name: torch.from_numpy(array.copy()) for name, array in arrays().items()}
    pointer = Pointer(ID, 123, "cd" * 32, 0).to_bytes()
    lfs = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"ab" * 32 + b"\nsize 12345\n"
    trainer = json.dumps({"global_step": 3, "epoch": 1.5, "log_history": [{"loss": 0.5, "step": 3}]}).encode()
    template = read_template(REAL, None)
    return (
        Reader("safetensors", (save(arrays()), save(arrays(), {"format": "pt"})), read_file),
        Reader("npz", (_npz(),), read_file),
        Reader("torch zip", (_saved(state), _saved({"model": state, "step": 3, "lr": [0.1]})), read_file),
        Reader("torch legacy", (_saved(state, legacy=True),), read_file),
        Reader("index of shards", (_index_json(),), _read_shards),
        Reader("trainer's state", (trainer,), _read_trainer),
        Reader("Git LFS pointer", (lfs,), lambda data, _: parse_lfs_pointer(data)),
        Reader("mvc pointer", (pointer,), lambda data, _: parse_pointer(data)),
        Reader("stored object", tuple(_STORED.values()), _read_stored),
        Reader("difference from a base", tuple(_DIFFERENCES[1].values()), _read_difference),
        Reader("pack", (_pack(),), _read_pack, _spoil_pack),
        Reader("commit", (_COMMIT.to_payload(),), _read_commit, _spoil_record),
        Reader("memory", (_MEMORY.to_payload(),), lambda data, _: Memory.from_payload(data).id, _spoil_record),
        Reader("operation", (_OPERATION.to_payload(),), _read_operation, _spoil_record),
        Reader("manifest", (_MANIFEST.to_payload(),), _read_manifest, _spoil_record),
        Reader("skeleton", (_SKELETON.to_payload(),), _read_skeleton, _spoil_record),
        Reader("config", (template["config.toml"],), _read_config),
        Reader("policy", (template["policy.toml"],), _read_policy),
        Reader("index", (_sample_index(),), _read_index, weight=1),
        Reader("embedder", (_embedder(),), lambda data, _: from_bytes(data), weight=2),
    )
