"""What a reader of checkpoint files yields. Owns the shape that every format is brought into, and reading raw bytes.

Refuses nothing itself: each format's reader checks its own files when it opens them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from mvc.formats.source import FileSource
from mvc.objects import Hole, Role, TensorSpec


@dataclass(frozen=True, slots=True)
class NamedTensor:
    """A tensor that a file holds, before its bytes are read."""

    name: str
    spec: TensorSpec
    role: Role


class CheckpointFile(ABC):
    """One file, opened: everything but the tensors' bytes has been parsed and checked.

    ``format`` is its stable name ("safetensors", "torch-zip", "torch-legacy", "npz", "opaque"). ``tensors`` are in
    file order and ``holes`` index them; tensors that no hole names (strided or overlapping views, deflated arrays) can
    be read all the same. ``facts`` are what the file itself says of its training, such as {"step": 300.0}.

    As a context manager it checks on leaving that the file did not change in the meantime (ChangedError).
    """

    format: str
    path: Path
    size: int
    tensors: tuple[NamedTensor, ...]
    holes: tuple[Hole, ...]
    facts: Mapping[str, float]

    def __init__(self, source: FileSource) -> None:
        self._source = source
        self.path = source.path
        self.size = source.size

    @abstractmethod
    def read(self, index: int) -> bytes | memoryview:
        """Canonical (little-endian, row-major) bytes of tensor ``index``; checked against whatever the file offers."""

    def read_raw(self, offset: int, length: int) -> bytes:
        """Bytes of the file as they lie there. Raises ChangedError where the file is no longer as it was opened."""
        return bytes(self._source.read(offset, length))

    def rename(self, names: Sequence[str]) -> None:
        """Gives the tensors other names, one each: canonical names depend on all files of a checkpoint together."""
        self.tensors = tuple(replace(t, name=name) for t, name in zip(self.tensors, names, strict=True))

    def verify_unchanged(self) -> None:
        """Raises ChangedError where the file's size, time of change or identity is not what it was on opening."""
        self._source.verify_unchanged()

    def close(self) -> None:
        """Releases the file. Readers are context managers."""
        self._source.close()

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
