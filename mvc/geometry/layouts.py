"""The symmetry of a model by its tensors' names and shapes: as a chain, a residual network or a transformer."""

from __future__ import annotations

from mvc.geometry.chains import chain
from mvc.geometry.permutations import PermutationSpec, Shapes
from mvc.geometry.residuals import residual
from mvc.geometry.transformers import head_sizes, transformer


def derive(shapes: Shapes, head: int | None = None) -> PermutationSpec | None:
    """The spec of these tensors (running statistics may be among them); None where there is none or it is ambiguous.

    ``head``: how many values an attention head has, which shapes do not show (`head_sizes`, `choose_heads`); without
    it attention keeps its order.
    """
    if head is not None or head_sizes(shapes):
        return transformer(shapes, head)
    return chain(shapes) or residual(shapes) or transformer(shapes)
