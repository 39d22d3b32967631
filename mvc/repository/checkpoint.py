"""A committed checkpoint, read tensor by tensor from the object database. Owns nothing but the view."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from mvc.errors import IntegrityError, NotFoundError
from mvc.objects import Manifest, ObjectId, TensorEntry, TensorSpec

if TYPE_CHECKING:
    from mvc.odb import Buffer


class StoredCheckpoint:
    """``mvc.objects.Checkpoint`` over a manifest: its weights, without optimizer state and other tensors."""

    def __init__(self, manifest: Manifest, read: Callable[[ObjectId], tuple[TensorSpec, Buffer]]) -> None:
        """``read`` gives spec and canonical bytes of a tensor."""
        self.manifest = manifest
        self._read = read

    @cached_property
    def specs(self) -> Mapping[str, TensorSpec]:
        """name → spec of every weight, in file order."""
        return {name: entry.spec for name, entry in self.manifest.weights.items()}

    def read(self, name: str) -> Buffer:
        """Canonical bytes of one weight. Raises NotFoundError, and IntegrityError for what is missing, damaged
        or (GoneError) was given up."""
        entry = self._entry(name)
        spec, data = self._read(entry.object)
        if spec != entry.spec:
            message = f"a manifest says of object {entry.object} what it is not"
            raise IntegrityError(message, hint="run: mvc fsck")
        return data

    def object_id(self, name: str) -> ObjectId:
        """Id of one weight's tensor object. Raises NotFoundError."""
        return self._entry(name).object

    def _entry(self, name: str) -> TensorEntry:
        try:
            return self.manifest.weights[name]
        except KeyError:
            raise NotFoundError(f"the checkpoint has no weight {name!r}", code="no-such-tensor") from None
