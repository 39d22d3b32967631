"""What a reader of checkpoint files yields. Owns the shape that every format is brought into; reads nothing itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

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
    """

    format: str
    path: Path
    size: int
    tensors: tuple[NamedTensor, ...]
    holes: tuple[Hole, ...]
    facts: Mapping[str, float]

    @abstractmethod
    def read(self, index: int) -> bytes | memoryview:
        """Canonical (little-endian, row-major) bytes of tensor ``index``; checked against whatever the file offers."""

    @abstractmethod
    def read_raw(self, offset: int, length: int) -> bytes:
        """Bytes of the file as they lie there. Raises ChangedError where the file is no longer as it was opened."""

    @abstractmethod
    def close(self) -> None:
        """Releases the file. Readers are context managers."""

    def __enter__(self) -> CheckpointFile:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
