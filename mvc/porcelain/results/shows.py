"""What `show` returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TensorRow:
    """One tensor of a commit, as `show` lists it."""

    name: str
    object: str
    dtype: str
    shape: tuple[int, ...]
    role: str
    bytes: int
    stored_bytes: int


@dataclass(frozen=True)
class SpectralRow:
    """One trainable tensor as `show --spectra` lists it; what is None, ``silence`` says why.

    ``statistics`` is s(W): mean, variance and percentiles 0, 25, 50, 75, 100. ``slices`` matrices of ``rows`` ×
    ``columns`` are pooled. ``bulk`` and ``tail`` are those of `mvc.geometry`, in eigenvalues of WᵀW; ``plausibility``
    is the tail's bootstrap p where it was asked for.
    """

    name: str
    shape: tuple[int, ...]
    statistics: Mapping[str, float | None]
    rows: int | None = None
    columns: int | None = None
    slices: int | None = None
    spectral_norm: float | None = None
    stable_rank: float | None = None
    bulk: Mapping[str, float] | None = None
    tail: Mapping[str, float] | None = None
    plausibility: float | None = None
    silence: tuple[str, ...] = ()


@dataclass(frozen=True)
class ShowResult:
    """``facts`` is everything recorded; ``inference`` the lineage's placement with evidence and runner-up. ``spectra``
    only where they were asked for.
    """

    id: str
    facts: Mapping[str, Any]
    inference: Mapping[str, Any]
    files: tuple[Mapping[str, Any], ...]
    tensors: tuple[TensorRow, ...]
    spectra: tuple[SpectralRow, ...] | None = None


@dataclass(frozen=True)
class SpectrumResult:
    """Of a matrix [rows, all else]: the largest singular value, and the squared norm in units of its square."""

    spectral_norm: float
    stable_rank: float | None


@dataclass(frozen=True)
class SpectraResult:
    before: SpectrumResult
    after: SpectrumResult
    change: SpectrumResult
