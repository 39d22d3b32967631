"""Checkpoints below a directory. Owns the search and grouping of files into checkpoints; opens no tensors.

Leaves out hidden files and directories (``.git``, ``.mvc``), and never follows a link to a directory. What is found is
sniffed, not parsed: "complete" says that all files are there, not that they are sound.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mvc.errors import FormatError, IncompleteError, MvcError, PointerError
from mvc.formats.lfs import fetched_object
from mvc.formats.sharded import INDEX_SUFFIX, check_present, find_index, read_index
from mvc.formats.sniff import POINTER_SUFFIX, READABLE, sniff_path
from mvc.formats.source import printable
from mvc.formats.trainer import NESTED, index_of, is_trainer, weight_names

FoundState = Literal["complete", "incomplete", "blocked", "bad", "pointer"]

#: names under which weights are usually kept: such a file is reported even where it cannot be read
_USUAL = (".safetensors", ".pt", ".pth", ".ckpt", ".bin", ".npz", ".pth.tar")


@dataclass(frozen=True, slots=True)
class Found:
    """One checkpoint's path; ``reason`` says in one line why it is not complete.

    complete: all files are there. incomplete: a shard is missing. blocked: a pointer stands where its weights should
    be. bad: it is named as weights are, and cannot be read. pointer: an mvc pointer, beside where its weights belong.
    """

    path: Path
    state: FoundState
    reason: str = ""


def find_checkpoints(directory: Path | str) -> list[Found]:
    """Every checkpoint in and below a directory, by path. A path to a file or checkpoint finds just that one."""
    root = Path(directory)
    if not root.is_dir():
        found = _look_at_index(root, root) if root.name.endswith(INDEX_SUFFIX) else _look_at_file(root, usual=True)
        return [] if found is None else [found]
    return sorted(_search(root), key=lambda found: found.path)


def checkpoint_with(path: Path | str) -> Found | None:
    """The checkpoint that a file is, or is a part of (a shard, a trainer's file); None for what is no checkpoint."""
    path = Path(path)
    entries = (entry for entry in os.scandir(path.parent) if not entry.name.startswith("."))
    files = [entry.name for entry in entries if not _is_directory(entry)]
    group, taken = _look_at_directory(path.parent, files)
    belongs = taken == "all" or path.name in taken or path.name.endswith(INDEX_SUFFIX)
    if group is not None and belongs and not path.name.endswith(POINTER_SUFFIX):
        return group
    return _look_at_file(path, usual=path.name.endswith(_USUAL))


def may_be_grouped(names: Sequence[str]) -> bool:
    """Whether files of these names, in one directory, can only be understood together."""
    return is_trainer(names) or any(name.endswith(INDEX_SUFFIX) for name in names)


def _search(root: Path) -> Iterator[Found]:
    pending = [root]
    while pending:
        directory = pending.pop()
        try:
            entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
        except OSError:
            continue  # a directory that may not be read holds nothing for us
        visible = [entry for entry in entries if not entry.name.startswith(".")]
        files = [Path(entry.path) for entry in visible if not _is_directory(entry)]
        group, taken = _look_at_directory(directory, [path.name for path in files])
        if group is not None:
            yield group
        whole = taken == "all"
        below = [entry for entry in visible if entry.is_dir(follow_symlinks=False)]
        # a trainer's output directory is a checkpoint itself, with older ones below it
        pending += [Path(entry.path) for entry in below if not (whole and entry.name.startswith(NESTED))]
        for path in files:
            # a pointer stands for another checkpoint, wherever it lies
            if not path.name.endswith(POINTER_SUFFIX) if whole else path.name in taken:
                continue
            found = _look_at_file(path, usual=path.name.endswith(_USUAL))
            if found is not None:
                yield found


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _look_at_directory(directory: Path, names: list[str]) -> tuple[Found | None, set[str] | Literal["all"]]:
    """The checkpoint that a directory is, if it is one, and the names that belong to it."""
    try:
        if is_trainer(names):
            index = index_of(directory)
            if index is not None:
                return _look_at_index(directory, index), "all"
            names_of_weights = weight_names(directory, None)
            if not names_of_weights:
                return Found(directory, "incomplete", f"{printable(directory.name)} has no weights"), "all"
            weights = [_look_at_file(directory / name, usual=True) for name in names_of_weights]
            worst = next((found for found in weights if found is not None and found.state != "complete"), None)
            return Found(directory, worst.state if worst else "complete", worst.reason if worst else ""), "all"
        index = find_index(directory)
    except OSError:
        return None, set()
    if index is None:
        return None, set()
    found = _look_at_index(directory, index)
    try:
        shards = read_index(index)
        return found, {*shards.shards, *shards.extra()}
    except FormatError:
        return found, set()


def _look_at_index(path: Path, index: Path) -> Found:
    try:
        shards = read_index(index)
        check_present(shards)
    except IncompleteError as error:
        return Found(path, "incomplete", error.message)
    except MvcError as error:
        return Found(path, "bad", error.message)
    for name in shards.shards:
        found = _look_at_file(index.parent / name, usual=True)
        if found is not None and found.state != "complete":
            return Found(path, found.state, found.reason)
    return Found(path, "complete")


def _look_at_file(path: Path, usual: bool) -> Found | None:
    """None for a file that is no checkpoint and is not named as one."""
    try:
        kind = sniff_path(path)
        if kind == "lfs-pointer":
            kind = sniff_path(fetched_object(path))
    except PointerError as error:
        return Found(path, "blocked", f"a Git LFS pointer, not fetched; {error.hint}") if usual else None
    except MvcError as error:
        return Found(path, "bad", error.message) if usual or path.name.endswith(POINTER_SUFFIX) else None
    if kind in READABLE:
        return Found(path, "complete")
    if path.name.endswith(POINTER_SUFFIX):
        return Found(path, "pointer")  # also a damaged one: whoever reads it says what is wrong
    if kind == "mvc-pointer" and usual:
        return Found(path, "blocked", f"{printable(path.name)} is an mvc pointer; the weights were not fetched")
    if kind == "empty" and usual:
        return Found(path, "bad", f"{printable(path.name)} is empty")
    return None
