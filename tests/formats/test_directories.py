"""Shards and trainers' directories: whole ones are one checkpoint, others are refused or reported."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mvc.errors import FormatError, IncompleteError, PointerError
from mvc.formats import checkpoint_with, find_checkpoints, open_checkpoint
from tests.formats.makers import check_checkpoint, sample_arrays, torch_state, write_safetensors, write_torch
from tests.formats.test_files import POINTER
from tests.formats.test_hostile_torch import Bomb

ARRAYS = {"a": np.arange(4.0), "b": np.ones((2, 2), dtype=np.float32), "mask": np.ones(8, dtype=np.bool_)}


def shard(directory: Path, change: dict[str, Any] | None = None, metadata: Any = None) -> Path:
    """Two shards and their index, which ``change`` falsifies."""
    directory.mkdir(exist_ok=True)
    names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    write_safetensors(directory / names[0], {"a": ARRAYS["a"]})
    write_safetensors(directory / names[1], {name: ARRAYS[name] for name in ("b", "mask")})
    weight_map = {"a": names[0], "b": names[1], "mask": names[1], **(change or {})}
    index = {"metadata": metadata or {"total_size": 56}, "weight_map": weight_map}
    (directory / "model.safetensors.index.json").write_text(json.dumps(index))
    return directory


def train(directory: Path, witness: Path | None = None) -> Path:
    """What a Trainer leaves behind after step 500."""
    directory.mkdir()
    write_safetensors(directory / "model.safetensors", sample_arrays(), {"format": "pt"})
    parameter = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.AdamW([parameter])
    parameter.sum().backward()
    optimizer.step()
    write_torch(directory / "optimizer.pt", optimizer.state_dict())
    write_torch(directory / "scheduler.pt", {"last_epoch": 500})
    write_torch(directory / "rng_state.pth", {"python": 1, "cpu": torch.get_rng_state()})
    (directory / "training_args.bin").write_bytes(pickle.dumps(Bomb(witness or directory / "ran")))
    (directory / "trainer_state.json").write_text(json.dumps({"global_step": 500, "epoch": 1.5}))
    (directory / "config.json").write_text("{}")
    (directory / "global_step500").mkdir()
    (directory / "global_step500" / "mp_rank_00_model_states.pt").write_bytes(b"anything")
    (directory / "runs").mkdir()
    (directory / "runs" / "log").write_bytes(b"not part of it")
    return directory


def test_a_file_belongs_to_the_checkpoint_around_it(tmp_path: Path) -> None:
    sharded, trained = shard(tmp_path / "m"), train(tmp_path / "checkpoint-500")
    write_safetensors(sharded / "other.safetensors", ARRAYS)
    parts = {
        sharded: ("model-00001-of-00002.safetensors", "model.safetensors.index.json"),
        trained: ("model.safetensors", "optimizer.pt"),
    }
    for directory, names in parts.items():
        found = [checkpoint_with(directory / name) for name in names]
        assert [item and (item.path, item.state) for item in found] == [(directory, "complete")] * 2
    alone = checkpoint_with(sharded / "other.safetensors")
    assert alone is not None and alone.path == sharded / "other.safetensors"


def test_sharded_by_directory_and_by_index(tmp_path: Path) -> None:
    directory = shard(tmp_path / "m")
    for path in (directory, directory / "model.safetensors.index.json"):
        with open_checkpoint(path) as checkpoint:
            assert checkpoint.kind == "sharded"
            assert [name for name, _ in checkpoint.files] == sorted(os.listdir(directory))
            check_checkpoint(checkpoint, ARRAYS)


def test_torch_shards_with_wrapped_names(tmp_path: Path) -> None:
    names = ["pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"]
    write_torch(tmp_path / names[0], torch_state({"module.a": ARRAYS["a"]}))
    write_torch(tmp_path / names[1], torch_state({"module.b": ARRAYS["b"]}))
    index = {"weight_map": {"module.a": names[0], "module.b": names[1]}}
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    with open_checkpoint(tmp_path) as checkpoint:
        check_checkpoint(checkpoint, {name: ARRAYS[name] for name in ("a", "b")})


@pytest.mark.parametrize("name", ["../x.safetensors", "/etc/passwd", "a/b", "..", "", "a\\b", "c:x", "a\0", 7, None])
def test_shards_outside_the_directory(tmp_path: Path, name: Any) -> None:
    write_safetensors(tmp_path / "x.safetensors", {"a": ARRAYS["a"]})
    with pytest.raises(FormatError) as caught:
        open_checkpoint(shard(tmp_path / "m", {"a": name}))
    assert caught.value.code == "unsafe-path"


def test_missing_shard(tmp_path: Path) -> None:
    directory = shard(tmp_path / "m")
    (directory / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(IncompleteError, match="model-00002-of-00002"):
        open_checkpoint(directory)
    assert [found.state for found in find_checkpoints(tmp_path)] == ["incomplete"]


def test_a_shard_whose_name_no_file_can_have(tmp_path: Path) -> None:
    with pytest.raises(IncompleteError):
        open_checkpoint(shard(tmp_path / "m", {"a": "x" * 300}))


def test_extra_shard(tmp_path: Path) -> None:
    directory = shard(tmp_path / "m")
    write_safetensors(directory / "model-00003-of-00003.safetensors", {"z": np.ones(1)})
    with pytest.raises(FormatError, match="does not list"):
        open_checkpoint(directory)


@pytest.mark.parametrize(
    ("change", "metadata"),
    [
        ({"a": "model-00002-of-00002.safetensors"}, None),
        ({"ghost": "model-00001-of-00002.safetensors"}, None),
        ({}, {"total_size": 57}),
        ({}, {"total_size": 10**12}),
        ({}, {"total_size": 1}),
    ],
)
def test_lying_index(tmp_path: Path, change: dict[str, Any], metadata: Any) -> None:
    with pytest.raises(FormatError):
        open_checkpoint(shard(tmp_path / "m", change, metadata))


def test_a_tensor_that_the_index_does_not_know(tmp_path: Path) -> None:
    directory = shard(tmp_path / "m")
    write_safetensors(directory / "model-00001-of-00002.safetensors", {"a": ARRAYS["a"], "more": np.ones(1)})
    with pytest.raises(FormatError, match="nowhere"):
        open_checkpoint(directory)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"weight_map": {}}', '{"weight_map": {"a": "x", "a": "y"}}', "[" * 100_000, "\xff"]
)
def test_malformed_index(tmp_path: Path, text: str) -> None:
    directory = shard(tmp_path / "m")
    (directory / "model.safetensors.index.json").write_text(text)
    with pytest.raises(FormatError):
        open_checkpoint(directory)
    assert find_checkpoints(directory)[0].state == "bad"


def test_pointer_shard(tmp_path: Path) -> None:
    directory = shard(tmp_path / "m")
    (directory / "model-00001-of-00002.safetensors").write_bytes(POINTER)
    with pytest.raises(PointerError):
        open_checkpoint(directory)
    assert [found.state for found in find_checkpoints(tmp_path)] == ["blocked"]


def test_trainer_directory(tmp_path: Path) -> None:
    witness = tmp_path / "ran"
    with open_checkpoint(train(tmp_path / "checkpoint-500", witness)) as checkpoint:
        assert checkpoint.kind == "trainer" and checkpoint.facts == {"step": 500.0}
        check_checkpoint(checkpoint, sample_arrays())
        files = dict(checkpoint.files)
        assert sorted(files) == [name for name, _ in checkpoint.files]
        assert {name: file.format for name, file in files.items()} == {
            "config.json": "opaque",
            "global_step500/mp_rank_00_model_states.pt": "opaque",
            "model.safetensors": "safetensors",
            "optimizer.pt": "torch-zip",
            "rng_state.pth": "opaque",
            "scheduler.pt": "opaque",
            "trainer_state.json": "opaque",
            "training_args.bin": "opaque",
        }
        assert {tensor.role for tensor in files["optimizer.pt"].tensors} == {"optimizer"}
    assert not witness.exists()


def test_trainer_directory_without_its_weights_is_incomplete(tmp_path: Path) -> None:
    directory = train(tmp_path / "checkpoint-500")
    (directory / "model.safetensors").unlink()
    with pytest.raises(IncompleteError, match="no weights"):
        open_checkpoint(directory)
    assert [(item.path, item.state) for item in find_checkpoints(tmp_path)] == [(directory, "incomplete")]


def test_trainer_directory_with_shards(tmp_path: Path) -> None:
    directory = shard(tmp_path / "m")
    (directory / "trainer_state.json").write_text('{"global_step": 7}')
    (directory / "optimizer.pt").write_bytes(pickle.dumps([1]))  # cannot be parsed: kept as it is
    with open_checkpoint(directory) as checkpoint:
        assert checkpoint.kind == "trainer" and checkpoint.facts == {"step": 7.0}
        check_checkpoint(checkpoint, ARRAYS)
        assert dict(checkpoint.files)["optimizer.pt"].format == "opaque"
    (directory / "model-00001-of-00002.safetensors").unlink()
    with pytest.raises(IncompleteError):
        open_checkpoint(directory)


def test_links_out_of_a_trainer_directory(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("key")
    directory = train(tmp_path / "m")
    (directory / "notes.txt").symlink_to(tmp_path / "secret")
    with pytest.raises(FormatError) as caught:
        open_checkpoint(directory)
    assert caught.value.code == "unsafe-path"


def test_download_cache_snapshot(tmp_path: Path) -> None:
    """A cache keeps the files as blobs and links to them from a snapshot."""
    source = train(tmp_path / "source")
    snapshot = tmp_path / "models--x" / "snapshots" / "0123"
    blobs = tmp_path / "models--x" / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    for number, path in enumerate(sorted(p for p in source.iterdir() if p.is_file())):
        path.rename(blobs / str(number))
        (snapshot / path.name).symlink_to(f"../../blobs/{number}")
    with open_checkpoint(snapshot) as checkpoint:
        check_checkpoint(checkpoint, sample_arrays())


def test_distributed_checkpoint_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / ".metadata").write_bytes(pickle.dumps({}))
    (tmp_path / "__0_0.distcp").write_bytes(b"x")
    with pytest.raises(FormatError, match="distributed"):
        open_checkpoint(tmp_path)
    with pytest.raises(FormatError, match="pickle"):
        open_checkpoint(tmp_path / ".metadata")


def test_finding(tmp_path: Path) -> None:
    shard(tmp_path / "sharded")
    (tmp_path / "run").mkdir()
    train(tmp_path / "run" / "checkpoint-1")
    train(tmp_path / "run" / "checkpoint-1" / "checkpoint-2")
    write_safetensors(tmp_path / "run" / "a.safetensors", ARRAYS)
    write_torch(tmp_path / "run" / "b.weights", torch_state(ARRAYS))
    (tmp_path / "run" / "c.pt").write_bytes(POINTER)
    (tmp_path / "run" / "d.pt").write_bytes(b"")
    (tmp_path / "run" / "e.txt").write_bytes(b"hello")
    (tmp_path / "run" / "f.pt").symlink_to("nowhere")
    for hidden in (".mvc", ".git", ".cache"):
        (tmp_path / hidden).mkdir()
        write_safetensors(tmp_path / hidden / "x.safetensors", ARRAYS)
    (tmp_path / "run" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "run" / "itself").symlink_to("itself")
    os.mkfifo(tmp_path / "run" / "pipe")
    found = {str(item.path.relative_to(tmp_path)): item.state for item in find_checkpoints(tmp_path)}
    assert found == {
        "run/a.safetensors": "complete",
        "run/b.weights": "complete",
        "run/c.pt": "blocked",
        "run/checkpoint-1": "complete",
        "run/checkpoint-1/checkpoint-2": "complete",
        "run/d.pt": "bad",
        "run/f.pt": "bad",
        "sharded": "complete",
    }
    assert [item.path for item in find_checkpoints(tmp_path / "run" / "a.safetensors")] == [
        tmp_path / "run" / "a.safetensors"
    ]
    assert find_checkpoints(tmp_path / "run" / "e.txt") == []
