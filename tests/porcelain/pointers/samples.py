"""Checkpoints in directories, and how they and their pointers stand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from mvc.porcelain.pointers import Pointer
from mvc.porcelain.status import status
from mvc.porcelain.workspace import Workspace

Write = Callable[..., Path]
ID = "ab" * 32
TEXT = Pointer(ID, 12, "cd" * 32).to_bytes()  # type: ignore[arg-type]


def states(workspace: Workspace, *paths: Path) -> dict[str, str]:
    return {Path(entry.path).name: entry.state for entry in status(workspace, paths).entries}


def sharded(directory: Path) -> Path:
    directory.mkdir(parents=True)
    tensors = {f"layer{n}.weight": np.full((4, 3), n, np.float32) for n in range(2)}
    shards = {name: f"model-{n + 1:05}-of-00002.safetensors" for n, name in enumerate(tensors)}
    for name, shard in shards.items():
        save_file({name: tensors[name]}, directory / shard)
    index = {"metadata": {"total_size": 96}, "weight_map": shards}
    (directory / "model.safetensors.index.json").write_text(json.dumps(index))
    return directory


def trainer(directory: Path) -> Path:
    directory.mkdir(parents=True)
    save_file({"w": np.arange(6, dtype=np.float32)}, directory / "model.safetensors")
    (directory / "trainer_state.json").write_text('{"global_step": 7}')
    (directory / "global_step7").mkdir()
    (directory / "global_step7" / "states.pt").write_bytes(b"anything")
    return directory


def tree(directory: Path) -> dict[str, bytes]:
    files = (path for path in sorted(directory.rglob("*")) if path.is_file())
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in files}
