"""The one thing that both columns know: a checkpoint as names → specs and lazily read tensors. Owns the protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from mvc.objects.ids import ObjectId
from mvc.objects.tensors import TensorSpec, as_array

if TYPE_CHECKING:
    import numpy.typing as npt


class Checkpoint(Protocol):
    """A model's weights, wherever they lie. Only the tensor asked for is held in memory."""

    @property
    def specs(self) -> Mapping[str, TensorSpec]:
        """name → spec of every weight, in file order."""

    def read(self, name: str) -> bytes | memoryview:
        """Canonical (little-endian, row-major) bytes of one weight."""

    def object_id(self, name: str) -> ObjectId:
        """Id of one weight's tensor object; equal ids mean equal bytes, dtype and shape."""


def read_array(checkpoint: Checkpoint, name: str) -> npt.NDArray[Any]:
    """One weight as a read-only array of its own dtype and shape."""
    return as_array(checkpoint.specs[name], checkpoint.read(name))
