"""Directories that a trainer writes (``checkpoint-500/``). Owns which of their files belong, and in which role.

Weights are parsed, optimizer state is parsed where it can be, everything else is kept as bytes: training_args.bin and
its like are pickles of whole objects and are never looked into. Files that start with a dot are left out. Refuses
symbolic links that lead out of the directory, other than a download cache's own links into its ``blobs``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from mvc.errors import FormatError
from mvc.formats.base import CheckpointFile
from mvc.formats.lfs import open_source
from mvc.formats.opaque import OpaqueFile
from mvc.formats.reading import open_file
from mvc.formats.sharded import INDEX_SUFFIX, ShardIndex, find_index
from mvc.formats.sniff import POINTER_SUFFIX
from mvc.formats.source import printable

#: any of these beside weights says that a trainer wrote the directory
MARKERS = frozenset({"trainer_state.json", "training_args.bin", "optimizer.pt", "optimizer.bin", "scheduler.pt"})
#: weights in one file, the preferred first; shards are named by their index
SINGLE_WEIGHTS = (
    "model.safetensors",
    "adapter_model.safetensors",
    "pytorch_model.bin",
    "adapter_model.bin",
    "diffusion_pytorch_model.safetensors",
)
#: what a trainer writes beside weights and never alone: where they stand alone, the weights are missing
_WITHOUT_WEIGHTS = frozenset({"trainer_state.json", "optimizer.pt"})
_OPTIMIZERS = frozenset({"optimizer.pt", "optimizer.bin"})
#: (starts of names of) directories that distributed trainers put inside, kept as bytes
NESTED = ("global_step", "pytorch_model_fsdp_", "optimizer_")
_MAX_STATE = 256 * 1024 * 1024


def is_trainer(names: Sequence[str]) -> bool:
    """Whether a directory with these files is one checkpoint of a trainer, be its weights there or not yet."""
    weights = any(name in SINGLE_WEIGHTS or name.endswith(INDEX_SUFFIX) for name in names)
    return (weights and not MARKERS.isdisjoint(names)) or _WITHOUT_WEIGHTS.issubset(names)


def weight_names(directory: Path, index: ShardIndex | None) -> tuple[str, ...]:
    """The files that hold the weights."""
    if index is not None:
        return index.shards
    return next(((name,) for name in SINGLE_WEIGHTS if (directory / name).exists()), ())


def list_files(directory: Path) -> list[str]:
    """The checkpoint's files as POSIX paths in the directory, sorted; without pointers, which stand for others."""
    names = []
    for entry in os.scandir(directory):
        if entry.name.startswith(".") or entry.name.endswith(POINTER_SUFFIX):
            continue
        if entry.is_dir(follow_symlinks=False):
            if entry.name.startswith(NESTED):
                nested = [inner.name for inner in os.scandir(entry.path) if not inner.is_dir(follow_symlinks=False)]
                names += [f"{entry.name}/{name}" for name in nested]
        elif not (entry.is_symlink() and entry.is_dir()):
            names.append(entry.name)
    return sorted(names)


def open_member(directory: Path, name: str, weights: Sequence[str]) -> CheckpointFile:
    """One file of the directory in its role."""
    path = directory / name
    if name in weights:
        return open_file(path)
    _check_link(directory, path)
    if name in _OPTIMIZERS:
        try:
            return open_file(path, "optimizer")
        except FormatError as error:
            # not needed to know the model: an optimizer that cannot be parsed is kept as it is
            if error.code != "bad-file" and error.code != "unknown-dtype":
                raise
    return OpaqueFile(open_source(path))


def read_step(directory: Path) -> dict[str, float]:
    """{"step": …} from trainer_state.json; nothing where it is absent or says nothing."""
    path = directory / "trainer_state.json"
    if not path.exists():
        return {}
    source = open_source(path)
    try:
        if source.size > _MAX_STATE:
            return {}
        step = json.loads(bytes(source.read(0, source.size)).decode())["global_step"]
    except (ValueError, RecursionError, KeyError, TypeError):
        return {}
    finally:
        source.close()
    return {"step": float(step)} if type(step) in (int, float) and abs(step) < 1 << 53 else {}


def index_of(directory: Path) -> Path | None:
    """The directory's index of shards, unless one file holds all weights."""
    if (directory / SINGLE_WEIGHTS[0]).exists():
        return None
    return find_index(directory)


def _check_link(directory: Path, path: Path) -> None:
    real = Path(os.path.realpath(path))
    home = Path(os.path.realpath(directory))
    cache = home.parent.parent / "blobs"
    if real.is_relative_to(home) or (path.is_symlink() and home.parent.name == "snapshots" and real.parent == cache):
        return
    raise FormatError(
        f"{printable(path)} is a symbolic link out of its checkpoint",
        hint="replace the link by the file, if it belongs to the checkpoint",
        code="unsafe-path",
    )
