"""Layer statistics and spectra of one model, tensor by tensor. Owns the walk; the figures are `mvc.geometry`'s."""

from __future__ import annotations

import math
from dataclasses import asdict

import numpy as np

from mvc.geometry import EXTREMES, LayerSpectrum, PowerLaw, layer_spectrum, plausibility, tensor_statistics, trainable
from mvc.objects import Checkpoint, read_array
from mvc.porcelain.progress import Report, silent
from mvc.porcelain.results.shows import SpectralRow

_FIGURES = ("mean", "variance", *(f"p{q}" for q in EXTREMES))


def layer_spectra(checkpoint: Checkpoint, *, bootstrap: int = 0, progress: Report = silent) -> tuple[SpectralRow, ...]:
    """A row for every trainable tensor, in the file's order; one tensor is held at a time.

    With ``bootstrap`` > 0 each tail's plausibility is estimated from so many samples, seeded: the same every time.
    """
    points = trainable(checkpoint.specs)
    rows = []
    for done, (name, spec) in enumerate(points.items()):
        progress(done, len(points), name)
        array = read_array(checkpoint, name)
        figures = tensor_statistics(array)
        statistics = {key: float(x) if math.isfinite(x) else None for key, x in zip(_FIGURES, figures, strict=True)}
        found = layer_spectrum(array)
        if isinstance(found, str):
            rows.append(SpectralRow(name, spec.shape, statistics, silence=(found,)))
            continue
        rows.append(
            SpectralRow(
                name,
                spec.shape,
                statistics,
                found.rows,
                found.columns,
                found.slices,
                found.spectral_norm,
                found.stable_rank,
                None if found.bulk is None else asdict(found.bulk),
                None if found.tail is None else asdict(found.tail),
                _plausibility(found, found.tail, bootstrap),
                found.silence,
            )
        )
    progress(len(points), len(points), "")
    return tuple(rows)


def _plausibility(found: LayerSpectrum, tail: PowerLaw | None, samples: int) -> float | None:
    if tail is None or not samples:
        return None
    return plausibility(found.positive, tail, np.random.default_rng(0), samples)
