"""Checkpoints cut into shards, as an ``*.index.json`` lists them. Owns the index and what it must agree with.

Refuses shard names that leave the directory, indexes that lie about where a tensor is or how large all are, and
checkpoints that lack a shard or have one too many (IncompleteError, FormatError).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mvc.errors import FormatError, IncompleteError
from mvc.formats.base import CheckpointFile
from mvc.formats.lfs import open_source
from mvc.formats.source import printable

INDEX_SUFFIX = ".index.json"
MAX_INDEX = 256 * 1024 * 1024
_SHARD = re.compile(r"(.+)-\d{5}-of-(\d{5})(\.[A-Za-z0-9]+)")


@dataclass(frozen=True, slots=True)
class ShardIndex:
    """``weight_map``: tensor → shard's file name. ``total_size``: bytes of all tensors, where the index says so."""

    path: Path
    weight_map: Mapping[str, str]
    total_size: float | None

    @property
    def shards(self) -> tuple[str, ...]:
        return tuple(sorted(set(self.weight_map.values())))

    def missing(self) -> list[str]:
        """Shards that are not there; nor is what a dangling link leads to, or a name that no file can have."""
        return [name for name in self.shards if not os.path.exists(self.path.parent / name)]

    def extra(self) -> list[str]:
        """Files beside the index that are named as its shards are and that it does not list."""
        listed = set(self.shards)
        families = {(m[1], m[3]) for name in listed if (m := _SHARD.fullmatch(name))}
        beside = sorted(entry.name for entry in self.path.parent.iterdir())
        return [n for n in beside if n not in listed and (m := _SHARD.fullmatch(n)) and (m[1], m[3]) in families]


def read_index(path: Path) -> ShardIndex:
    """Raises FormatError for what is no index or names a shard outside its directory."""
    source = open_source(path)
    try:
        if source.size > MAX_INDEX:
            raise FormatError(f"{printable(path)} is too large for an index", hint=f"the limit is {MAX_INDEX} bytes")
        content = bytes(source.read(0, source.size))
    finally:
        source.close()
    hint = "the index is damaged; save or fetch it again"
    try:
        value = json.loads(content.decode(), object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError):
        raise FormatError(f"{printable(path)} is not JSON", hint=hint) from None
    weight_map = value.get("weight_map") if isinstance(value, dict) else None
    if not isinstance(weight_map, dict) or not weight_map:
        raise FormatError(f"{printable(path)} has no weight_map", hint=hint)
    for name, shard in weight_map.items():
        if not isinstance(shard, str) or not _is_plain_name(shard):
            raise FormatError(
                f"{printable(path)} places tensor {printable(name)} in {printable(str(shard))}, outside its directory",
                hint="do not use this checkpoint unless you trust where it is from",
                code="unsafe-path",
            )
    metadata = value.get("metadata")
    total = metadata.get("total_size") if isinstance(metadata, dict) else None
    return ShardIndex(
        path, weight_map, float(total) if isinstance(total, int | float) and abs(total) < 1 << 62 else None
    )


def find_index(directory: Path) -> Path | None:
    """The directory's index; of several, a safetensors one first. None where there is none."""
    indexes = sorted(entry for entry in directory.iterdir() if entry.name.endswith(INDEX_SUFFIX))
    return min(indexes, key=lambda path: (".safetensors." not in path.name, path.name), default=None)


def check_present(index: ShardIndex) -> None:
    """Raises IncompleteError for missing shards and FormatError for extra ones."""
    missing = index.missing()
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise IncompleteError(
            f"{printable(index.path.parent)} lacks shard {printable(missing[0])}{more}",
            hint="wait until it is written, or fetch it",
        )
    extra = index.extra()
    if extra:
        raise FormatError(
            f"{printable(index.path.parent / extra[0])} is a shard that {printable(index.path.name)} does not list",
            hint="remove it, or save the checkpoint into an empty directory",
            code="extra-shard",
        )


def check_contents(index: ShardIndex, shards: Mapping[str, CheckpointFile]) -> None:
    """Raises FormatError or IncompleteError unless the shards hold what the index says, and nothing else."""
    seen: set[str] = set()
    whole = lean = 0.0
    for shard, file in shards.items():
        for tensor in file.tensors:
            if tensor.role != "weight":
                continue
            if index.weight_map.get(tensor.name) != shard:
                said = index.weight_map.get(tensor.name)
                where = "nowhere" if said is None else f"in {printable(said)}"
                raise FormatError(
                    f"tensor {printable(tensor.name)} is in shard {printable(shard)}; the index places it {where}",
                    hint="save or fetch the checkpoint again",
                    code="lying-index",
                )
            seen.add(tensor.name)
            whole += tensor.spec.nbytes
            lean += tensor.spec.nbytes / (8 if tensor.spec.dtype == "BOOL" else 1)
    for name, shard in index.weight_map.items():
        if name not in seen:
            raise IncompleteError(
                f"shard {printable(shard)} lacks tensor {printable(name)}", hint="save or fetch the checkpoint again"
            )
    # old writers count a bool as one bit; torch's .bin shards count a storage that tensors share once
    exact = all(file.format == "safetensors" for file in shards.values())
    if exact and index.total_size is not None and not lean - 1 <= index.total_size <= whole:
        raise FormatError(
            f"{printable(index.path)} claims {index.total_size:.0f} bytes of tensors; there are {whole:.0f}",
            hint="save or fetch the checkpoint again",
            code="lying-index",
        )


def _is_plain_name(name: str) -> bool:
    return bool(name) and name not in (".", "..") and not any(c in "/\\:" or ord(c) < 32 for c in name)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("duplicate keys")
    return value
