"""A checkpoint, opened: one file, a set of shards, or a trainer's directory. Owns joining files into one model.

Names are canonical over all files together, so a model has the same names however it was cut and wrapped. Refuses
directories that are no single checkpoint, and a weight that two files both hold.
"""

from __future__ import annotations

import stat
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from mvc.errors import FormatError, IncompleteError, InputError
from mvc.formats.base import CheckpointFile
from mvc.formats.lfs import open_source
from mvc.formats.names import canonical_names
from mvc.formats.opaque import OpaqueFile
from mvc.formats.reading import open_file
from mvc.formats.sharded import INDEX_SUFFIX, ShardIndex, check_contents, check_present, find_index, read_index
from mvc.formats.source import printable
from mvc.formats.trainer import index_of, is_trainer, list_files, open_member, read_step, weight_names
from mvc.objects import ObjectId, TensorSpec, tensor_id

CheckpointKind = Literal["file", "sharded", "trainer"]


class OpenedCheckpoint:
    """The `Checkpoint` protocol over files. ``files``: (POSIX path in the checkpoint, '' for a single file; the file).

    A context manager: leaving it checks that no file changed in the meantime (ChangedError) and closes them all.
    """

    def __init__(
        self,
        path: Path,
        kind: CheckpointKind,
        files: Sequence[tuple[str, CheckpointFile]],
        facts: Mapping[str, float] | None = None,
    ) -> None:
        self.path = path
        self.kind = kind
        self.files = tuple(files)
        self._ids: dict[str, ObjectId] = {}
        _canonicalise([file for _, file in self.files])
        weight_facts = [f.facts for _, f in self.files if f.facts and any(t.role == "weight" for t in f.tensors)]
        self.facts: Mapping[str, float] = facts or next(iter(weight_facts), {})

    @cached_property
    def _places(self) -> dict[str, tuple[CheckpointFile, int]]:
        return {
            tensor.name: (file, index)
            for _, file in self.files
            for index, tensor in enumerate(file.tensors)
            if tensor.role == "weight"
        }

    @cached_property
    def specs(self) -> Mapping[str, TensorSpec]:
        """name → spec of every weight, files in path order, tensors in file order."""
        return {name: file.tensors[index].spec for name, (file, index) in self._places.items()}

    def read(self, name: str) -> bytes | memoryview:
        """Canonical bytes of one weight. Raises KeyError for a name that is none."""
        file, index = self._places[name]
        return file.read(index)

    def object_id(self, name: str) -> ObjectId:
        """Id of one weight, computed from its bytes once."""
        if name not in self._ids:
            self._ids[name] = tensor_id(self.specs[name], self.read(name))
        return self._ids[name]

    def verify_unchanged(self) -> None:
        """Raises ChangedError where any of the files is not as it was on opening."""
        for _, file in self.files:
            file.verify_unchanged()

    def close(self) -> None:
        for _, file in self.files:
            file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.verify_unchanged()
        finally:
            self.close()


def open_checkpoint(path: Path | str) -> OpenedCheckpoint:
    """The checkpoint under a path: a file, an index of shards, a directory with one, or a trainer's directory.

    Raises FormatError for damaged, hostile or unknown files, IncompleteError where a shard is missing, PointerError
    where one was not fetched, InputError for a directory that is no single checkpoint, NotFoundError.
    """
    path = Path(path)
    with ExitStack() as stack:
        opened = _open_directory(path, stack) if _is_directory(path) else _open_single(path, stack)
        stack.pop_all()
        return opened


def _is_directory(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except (OSError, ValueError):
        return False  # opening it as a file says what is wrong with it


def _open_single(path: Path, stack: ExitStack) -> OpenedCheckpoint:
    if path.name.endswith(INDEX_SUFFIX):
        return _open_shards(path, read_index(path), stack)
    file = _entered(open_file(path), stack)
    return OpenedCheckpoint(path, "file", [("", file)])


def _open_directory(path: Path, stack: ExitStack) -> OpenedCheckpoint:
    try:
        names = sorted(entry.name for entry in path.iterdir())
        if is_trainer(names):
            return _open_trainer(path, stack)
        index = find_index(path)
        distributed = ".metadata" in names and any(name.endswith(".distcp") for name in names)
    except OSError as error:
        raise FormatError(f"{printable(path)} cannot be read: {error.strerror}", hint="check its permissions") from None
    if index is not None:
        return _open_shards(path, read_index(index), stack)
    if distributed:
        raise FormatError(
            f"{printable(path)} is a torch distributed checkpoint, which mvc does not read",
            hint="run: python -m torch.distributed.checkpoint.format_utils dcp_to_torch DIR FILE.pt",
        )
    raise InputError(
        f"{printable(path)} is a directory, but not one checkpoint",
        hint="name a checkpoint file in it",
        code="no-checkpoint",
    )


def _open_shards(path: Path, index: ShardIndex, stack: ExitStack) -> OpenedCheckpoint:
    shards = _read_shards(index, stack)
    files = {**shards, index.path.name: _entered(OpaqueFile(open_source(index.path)), stack)}
    return OpenedCheckpoint(path, "sharded", sorted(files.items()))


def _open_trainer(path: Path, stack: ExitStack) -> OpenedCheckpoint:
    index_path = index_of(path)
    index = None if index_path is None else read_index(index_path)
    shards = {} if index is None else _read_shards(index, stack)
    weights = weight_names(path, index)
    if not weights:
        raise IncompleteError(f"{printable(path)} has no weights", hint="wait until the checkpoint is written")
    files = dict(shards)
    for name in list_files(path):
        if name not in files:
            files[name] = _entered(open_member(path, name, weights), stack)
    return OpenedCheckpoint(path, "trainer", sorted(files.items()), read_step(path))


def _read_shards(index: ShardIndex, stack: ExitStack) -> dict[str, CheckpointFile]:
    check_present(index)
    shards = {name: _entered(open_file(index.path.parent / name), stack) for name in index.shards}
    check_contents(index, shards)
    return shards


def _entered(file: CheckpointFile, stack: ExitStack) -> CheckpointFile:
    stack.callback(file.close)
    return file


def _canonicalise(files: Sequence[CheckpointFile]) -> None:
    """Drops wrappers' prefixes from the weights' names, over all files at once. Raises FormatError for a name twice."""
    weights = [t.name for file in files for t in file.tensors if t.role == "weight"]
    names = canonical_names(weights)
    if len(set(weights)) != len(weights):
        twice = next(name for name, count in Counter(weights).items() if count > 1)
        raise FormatError(f"two files hold tensor {printable(twice)}", hint="save the checkpoint again")
    short = dict(zip(weights, names, strict=True))
    for file in files:
        taken = {short[t.name] for t in file.tensors if t.role == "weight"}
        renamed = []
        for tensor in file.tensors:
            name = short[tensor.name] if tensor.role == "weight" else tensor.name
            # a full path such as "model.fc.weight" of something else may be what a weight is now called
            while tensor.role != "weight" and name in taken:
                name += "~"
            taken.add(name)
            renamed.append(name)
        file.rename(renamed)
