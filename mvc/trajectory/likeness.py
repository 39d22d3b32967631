"""Where a model stands among others, told robustly. Owns likeness by tensors.

Each tensor has one vote, weighted by the root of its size: how far the cosine of its values, less their mean, is from
one. A tensor that was zeroed, scaled or overrun by one huge weight costs no more than its own vote, where a distance
would be nothing else. Strangers are near one, neighbours of a trajectory near zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mvc.trajectory.inference import Block

Floats = npt.NDArray[np.float64]

#: less alike than this are strangers: on every population measured strangers reach .78 and neighbours .25, but for the
#: first step of a run
STRANGE = 0.7


def unlikeness(vectors: npt.NDArray[np.floating], vector: npt.NDArray[np.floating], blocks: Sequence[Block]) -> Floats:
    """Of signatures [n, k] to one [k], each [n] between 0, the same up to scale, and 1, unrelated."""
    total, weights = np.zeros(len(vectors)), 0.0
    for block in blocks:
        # the first value is the mean's, in which strangers agree
        part = slice(block.start + 1, block.stop)
        theirs, own = vectors[:, part].astype(np.float64), vector[part].astype(np.float64)
        norms = np.linalg.norm(theirs, axis=1) * np.linalg.norm(own)
        if block.stop - block.start < 3 or not norms.any():
            continue
        cosines = np.divide(theirs @ own, norms, out=np.zeros(len(vectors)), where=norms > 0)
        weight = math.sqrt(block.numel)
        total += weight * (1 - np.clip(cosines, 0.0, 1.0))
        weights += weight
    return total / weights if weights else np.ones(len(vectors))
