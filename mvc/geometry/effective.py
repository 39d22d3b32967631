"""How many directions a change moves in. Owns the effective rank of a change; judges nothing.

The exponential of the entropy of a change's normalised squared singular values (Roy & Vetterli 2007, who take the
values themselves; squares tell a few strong directions better): 1 for a change along one direction, as many as the
matrix has for one that is alike in all. Large matrices are folded into a sketch of both sides first, always the same
for one shape, so that neighbouring steps are comparable.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from mvc.geometry.changes import sketch_of_change

#: matrices [out, all else] with a smaller side below this have too few directions to tell
FEWEST = 8
#: sides that are folded into so many
_SIZE = 128


def has_directions(shape: tuple[int, ...]) -> bool:
    """Whether a tensor of this shape is a matrix [out, all else] that is large enough."""
    return len(shape) > 1 and min(shape[0], math.prod(shape[1:])) >= FEWEST


def effective_rank(before: npt.NDArray[Any], now: npt.NDArray[Any]) -> float | None:
    """Effective rank, 1 … 128, of now − before, both [out, all else] of one shape and any float dtypes.

    None where there is none: no matrix, too small a one, equal values, or values that are not finite. Memory is that of
    a few blocks of rows, time that of reading both once.
    """
    if before.shape != now.shape or not has_directions(now.shape):
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        sketch, squared, _ = sketch_of_change(before, now, _SIZE)
    if not math.isfinite(squared) or squared <= 0 or not np.isfinite(sketch).all():
        return None
    rows = now.shape[0]
    energies = np.linalg.svd(sketch[:rows, : now.size // rows] / math.sqrt(squared), compute_uv=False) ** 2
    shares = energies[energies > 0] / energies.sum()
    return math.exp(-float(shares @ np.log(shares)))
