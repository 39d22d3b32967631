"""What `diff` returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mvc.porcelain.results.shows import SpectraResult

TensorStatus = Literal["identical", "changed", "added", "removed", "reshaped", "recast"]


@dataclass(frozen=True)
class TensorDiff:
    """``cosine`` is None where one side is zero; distances are None where shapes differ or a side is missing.

    ``changed`` counts values that differ; ``rank`` is that of the change where it is low, else None. ``matched``: the
    distance after the units of b were put into a's order, where units moved in this tensor. ``layer``: its module.
    ``error``: of an estimated distance its relative standard error; then what only values tell is None.
    """

    name: str
    status: TensorStatus
    numel: int
    distance: float | None
    relative_distance: float | None
    cosine: float | None
    max_abs: float | None
    share: float | None = None
    nonfinite: int = 0
    changed: int | None = None
    rank: int | None = None
    matched: float | None = None
    spectra: SpectraResult | None = None
    layer: str = ""
    error: float = 0.0


@dataclass(frozen=True)
class LayerDiff:
    """Figures of one module's tensors that were compared, as of one long vector. ``tensors`` counts all of them."""

    name: str
    tensors: int
    identical: int
    numel: int
    distance: float
    relative_distance: float | None
    cosine: float | None
    max_abs: float | None
    share: float | None
    changed: int | None
    error: float = 0.0


@dataclass(frozen=True)
class MovedUnits:
    """``moved`` of ``units`` hidden units of b stand elsewhere in a. Distances are those with all of them put back."""

    moved: int
    units: int
    distance: float
    relative_distance: float | None
    cosine: float | None


@dataclass(frozen=True)
class UsualDistance:
    """Distances of ``pairs`` other pairs of commits that stand as many steps apart, near by on the same trajectory.

    ``low`` and ``high`` leave out the smallest and the largest of more than six.
    """

    median: float
    low: float
    high: float
    pairs: int


@dataclass(frozen=True)
class Parting:
    """The last commit that two trajectories share, and how many steps a and b are beyond it."""

    commit: str
    lineage: str
    position: int
    a: int
    b: int


@dataclass(frozen=True)
class CourseResult:
    """How a difference stands to a lineage's steps. ``apart``: how many steps lie between two commits of one
    trajectory, of ``path`` together; distance / path is 1 on a straight line and 1/√apart on a random walk. ``usual``:
    of pairs as far ``apart``, of neighbours where ``apart`` is None. ``like``: as far as commits so many steps apart
    near by, None where it is beyond the ``farthest`` of these. ``parted``: of two commits of which none is on the
    other's way, where their ways parted.
    """

    lineage: str
    apart: int | None
    path: float | None
    usual: UsualDistance | None
    like: float | None
    farthest: float | None
    parted: Parting | None = None


@dataclass(frozen=True)
class DiffResult:
    """``relative_distance`` is distance / rms of the two norms (independent models ≈ 1.41). ``steps`` is the distance
    in units of the lineage's median step where a side stands in a lineage, else None; ``verdict`` says it in words.
    ``compared`` counts the trainable values that all this is about, ``coverage`` is their share of the smaller model.
    Where models are large and ``exact`` is False, figures come from what the index keeps: ``error`` is the relative
    standard error of ``distance``, and nobody looked for ``unseen``.
    """

    a: str
    b: str
    distance: float
    relative_distance: float | None
    cosine: float | None
    tensors: tuple[TensorDiff, ...]
    steps: float | None = None
    verdict: str = ""
    compared: int = 0
    coverage: float = 1.0
    layers: tuple[LayerDiff, ...] = ()
    moved: MovedUnits | None = None
    course: CourseResult | None = None
    exact: bool = True
    error: float = 0.0
    unseen: tuple[str, ...] = ()
