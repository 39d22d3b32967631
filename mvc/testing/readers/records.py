"""What objects say: commits, operations, manifests, skeletons, memories."""

from __future__ import annotations

import json
import random
from pathlib import Path

from mvc.errors import InputError
from mvc.formats import assemble
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
)
from mvc.testing.mutations import damage, damage_json
from mvc.testing.readers.reader import Reader

ID, _OTHER = ObjectId("ab" * 32), ObjectId("cd" * 32)
_SPEC = TensorSpec("F32", (2, 3))
_COMMIT = Commit(
    ID, "a/b.pt", "2024-01-01T00:00:00.000000+00:00", "me", "hi", 1.0, "user", "r", ID, {"loss": 0.5}, {"k": "v"}
)
OPERATION = Operation((ID,), _COMMIT.time, "me", "tag", (ID,), {"v": ID, "w": None}, {"s": "t"}, (ID,))
_MEMORY = Memory(ID, _COMMIT.time, "why", {ID: "abcd", _OTHER: None}, {"a b": 0.5}, {"c": {"d": "e"}}, 0.1)
_MANIFEST = Manifest((FileEntry("", "npz", 29, "0" * 64, ID, (TensorEntry("w", ID, _SPEC, "weight"),)),))
_SKELETON = Skeleton(29, (Hole(5, 24, 0, (1, 0)),), b"12345")


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


def record_readers() -> tuple[Reader, ...]:
    return (
        Reader("commit", (_COMMIT.to_payload(),), _read_commit, _spoil_record),
        Reader("memory", (_MEMORY.to_payload(),), lambda data, _: Memory.from_payload(data).id, _spoil_record),
        Reader("operation", (OPERATION.to_payload(),), _read_operation, _spoil_record),
        Reader("manifest", (_MANIFEST.to_payload(),), _read_manifest, _spoil_record),
        Reader("skeleton", (_SKELETON.to_payload(),), _read_skeleton, _spoil_record),
    )
