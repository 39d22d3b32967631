"""Which tensors make a model's point in weight space. Owns the Architecture; reads no values.

Trainable tensors are the floating-point weights. Integer and boolean tensors (counters, masks, position ids) are left
out, as are batch-norm's running statistics: they follow the data, not the gradient. Tensors that are equal in every
model of an architecture (constant buffers) show only in a population and are left out there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from mvc.objects import DTYPES, TensorSpec

_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


@dataclass(frozen=True)
class Architecture:
    """Names and shapes of the trainable tensors, whatever their dtype. ``id`` is a short stable name of both."""

    shapes: Mapping[str, tuple[int, ...]]

    @property
    def id(self) -> str:
        text = "\n".join(f"{name!r} {list(shape)}" for name, shape in sorted(self.shapes.items()))
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()

    @property
    def names(self) -> tuple[str, ...]:
        """Names in sorted order, the order of every vector of this architecture."""
        return tuple(sorted(self.shapes))


def trainable(specs: Mapping[str, TensorSpec]) -> dict[str, TensorSpec]:
    """The specs of trainable tensors, in the order given."""
    return {
        name: spec
        for name, spec in specs.items()
        # values of less than a byte have no array to compute on
        if spec.is_float
        and DTYPES[spec.dtype].numpy is not None
        and spec.numel > 0
        and name.rsplit(".", 1)[-1] not in _STATISTICS
    }


def architecture_of(specs: Mapping[str, TensorSpec]) -> Architecture:
    """Architecture of a checkpoint with these weights."""
    return Architecture({name: spec.shape for name, spec in trainable(specs).items()})
