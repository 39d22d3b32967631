"""Checkpoint files, and what lies beside them: pointers, lists of shards, a trainer's state."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save

from mvc.formats import assemble, open_checkpoint, skeleton_of
from mvc.formats.lfs import parse_lfs_pointer
from mvc.objects import (
    ObjectId,
    TensorEntry,
    tensor_id,
)
from mvc.porcelain.pointers import Pointer, parse_pointer
from mvc.testing.readers.reader import Reader
from mvc.testing.readers.records import ID


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


def checkpoint_readers() -> tuple[Reader, ...]:
    state = {name: torch.from_numpy(array.copy()) for name, array in arrays().items()}
    pointer = Pointer(ID, 123, "cd" * 32, 0).to_bytes()
    lfs = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"ab" * 32 + b"\nsize 12345\n"
    trainer = json.dumps({"global_step": 3, "epoch": 1.5, "log_history": [{"loss": 0.5, "step": 3}]}).encode()
    return (
        Reader("safetensors", (save(arrays()), save(arrays(), {"format": "pt"})), read_file),
        Reader("npz", (_npz(),), read_file),
        Reader("torch zip", (_saved(state), _saved({"model": state, "step": 3, "lr": [0.1]})), read_file),
        Reader("torch legacy", (_saved(state, legacy=True),), read_file),
        Reader("index of shards", (_index_json(),), _read_shards),
        Reader("trainer's state", (trainer,), _read_trainer),
        Reader("Git LFS pointer", (lfs,), lambda data, _: parse_lfs_pointer(data)),
        Reader("mvc pointer", (pointer,), lambda data, _: parse_pointer(data)),
    )
