"""Files that are kept and never parsed: training_args.bin, configuration, tokenizers. Owns nothing but their bytes."""

from __future__ import annotations

from collections.abc import Mapping

from mvc.formats.base import CheckpointFile, NamedTensor
from mvc.formats.source import FileSource
from mvc.objects import Hole, TensorSpec


class OpaqueFile(CheckpointFile):
    """A whole file as one tensor of bytes, U8 [size], role "storage"."""

    format = "opaque"

    def __init__(self, source: FileSource, facts: Mapping[str, float] | None = None) -> None:
        super().__init__(source)
        self.tensors = (NamedTensor("file", TensorSpec("U8", (source.size,)), "storage"),)
        self.holes = (Hole(0, source.size, 0),) if source.size else ()
        self.facts = facts or {}

    def read(self, index: int) -> bytes | memoryview:
        if index != 0:
            raise IndexError(index)
        return self._source.read(0, self.size)
