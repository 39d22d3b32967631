"""Displacements between neighbours of a trajectory. Owns their features; judges nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: cosines beyond this say "straight on" or "straight back"; keeps their Fisher transform finite
_STRAIGHT = 0.999


@dataclass(frozen=True)
class Steps:
    """Features of the m-1 steps of a trajectory of m points.

    ``log_lengths`` [m-1] natural log of the length, -inf for a step of nothing. ``turns`` [m-2] Fisher's z of the
    cosine between a step and the one before it (large: straight on; 0: a right angle).
    """

    log_lengths: Floats
    turns: Floats

    @property
    def angles(self) -> Floats:
        """Turning angles [m-2] in degrees."""
        return np.degrees(np.arccos(np.tanh(self.turns)))


def drift_steps(path: npt.NDArray[np.floating]) -> Steps:
    """Features of an ordered trajectory of signatures [m, k]."""
    steps = np.diff(path.astype(np.float64), axis=0)
    lengths = np.sqrt(np.einsum("ij,ij->i", steps, steps))
    inner = np.einsum("ij,ij->i", steps[:-1], steps[1:])
    norms = lengths[:-1] * lengths[1:]
    cosines = np.divide(inner, norms, out=np.zeros_like(inner), where=norms > 0)
    with np.errstate(divide="ignore"):
        log_lengths = np.log(lengths)
    return Steps(log_lengths, np.arctanh(np.clip(cosines, -_STRAIGHT, _STRAIGHT)))


def displacement_shares(path: npt.NDArray[np.floating]) -> Floats:
    """What each step of a trajectory [m, k] contributed to the whole displacement, [m-1], sum 1.

    ⟨step, last - first⟩ / |last - first|²: a step that turned back counts negative. All zero where nothing moved.
    """
    steps = np.diff(path.astype(np.float64), axis=0)
    whole = steps.sum(axis=0)
    square = float(whole @ whole)
    shares: Floats = steps @ whole / square if square > 0 and math.isfinite(square) else np.zeros(len(steps))
    return shares
