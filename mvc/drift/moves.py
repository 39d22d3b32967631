"""Units that stand in another unit's place. Owns the search; what a move means is for `mvc.drift.integrity` to say.

Only the units that changed most are looked up among all units before: two that were swapped are the two that changed
most, and where all were, these stand for the rest. So the cost is that of reading the tensor a few times.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: units that are looked up
SUSPECTS = 16
#: figures of one move
MOVE = 5
#: shorter units are alike by chance
_LEAST = 4
_BAND = 1 << 20


def moved_rows(x: npt.NDArray[Any], y: npt.NDArray[Any], changes: Floats) -> Floats:
    """Of the rows of ``y`` [r, c] that changed most, those nearer to another row of ``x``: [m, 5] as `Move` has them.

    ``changes`` [r] is Σ change² by rows.
    """
    rows, columns = y.shape
    if columns < _LEAST or rows < 2:
        return np.empty((0, MOVE))
    suspects = _suspects(changes)
    wanted = _single(y[suspects])
    squares, inner = np.empty(rows), np.empty((rows, len(suspects)))
    band = max(1, _BAND // columns)
    for start in range(0, rows, band):
        part = _single(x[start : start + band])
        squares[start : start + band] = np.einsum("ij,ij->i", part, part)
        inner[start : start + band] = part @ wanted.T
    return _nearer(suspects, changes, squares, inner, np.einsum("ij,ij->i", wanted, wanted))


def moved_columns(x: npt.NDArray[Any], y: npt.NDArray[Any], changes: Floats, kernel: int) -> Floats:
    """As `moved_rows`, of positions on axis 1, each ``kernel`` columns wide; ``changes`` [c]: Σ change² by columns."""
    rows, columns = y.shape
    if kernel == 0 or columns // kernel < 2 or rows * kernel < _LEAST:
        return np.empty((0, MOVE))
    units = columns // kernel
    changes = changes.reshape(units, kernel).sum(axis=1)
    suspects = _suspects(changes)
    places = (suspects[:, None] * kernel + np.arange(kernel)).reshape(-1)
    squares, norms, inner = np.zeros(units), np.zeros(len(suspects)), np.zeros((units, len(suspects)))
    band = max(1, _BAND // columns)
    for start in range(0, rows, band):
        part = _single(x[start : start + band]).reshape(-1, units, kernel)
        wanted = _single(y[start : start + band][:, places]).reshape(-1, len(suspects), kernel)
        squares += np.einsum("ruk,ruk->u", part, part)
        norms += np.einsum("rsk,rsk->s", wanted, wanted)
        inner += np.tensordot(part, wanted, axes=((0, 2), (0, 2)))
    return _nearer(suspects, changes, squares, inner, norms)


def _suspects(changes: Floats) -> npt.NDArray[np.intp]:
    count = min(SUSPECTS, len(changes))
    return np.sort(np.argpartition(-changes, count - 1)[:count])


def _single(values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    found = values.astype(np.float32)
    return found if np.isfinite(found.sum()) else np.nan_to_num(found, posinf=0.0, neginf=0.0)


def _nearer(
    suspects: npt.NDArray[np.intp], changes: Floats, squares: Floats, inner: Floats, norms: npt.NDArray[Any]
) -> Floats:
    distances = np.maximum(squares[:, None] - 2 * inner + norms, 0.0)
    distances[suspects, np.arange(len(suspects))] = np.inf
    distances[~np.isfinite(distances)] = np.inf
    sources = np.argmin(distances, axis=0)
    others = distances[sources, np.arange(len(suspects))]
    own = changes[suspects]
    found: Floats = np.stack([suspects, sources, own, others, norms], axis=1)[others < own].astype(np.float64)
    return found
