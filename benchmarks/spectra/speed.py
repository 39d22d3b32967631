"""Seconds for one layer's spectrum, beside the singular values by NumPy.

    python -m benchmarks.spectra.speed

Prints a Markdown table: eigenvalues, all of `mvc.geometry.layer_spectrum`, `numpy.linalg.svd` without vectors on the
same float32 matrix widened to float64, and svd over eigenvalues. Best of three.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from mvc.geometry import layer_spectrum
from mvc.geometry.spectra import eigenvalues
from mvc.papers.tables import table_head, table_row

SHAPES = ((256, 256), (384, 1536), (768, 768), (768, 3072), (30522, 384), (512, 256, 3, 3), (2048, 2048))


def best(work: Callable[[], object]) -> float:
    """Least seconds of three."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    print("\n".join(table_head(("layer", "eigenvalues", "spectrum", "svd", "svd ÷ eigenvalues"))))
    for shape in SHAPES:
        weight = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        slices = np.moveaxis(weight.reshape(*shape[:2], -1), 2, 0).astype(np.float64)
        values = best(lambda weight=weight: eigenvalues(weight))
        whole = best(lambda weight=weight: layer_spectrum(weight))
        svd = best(lambda slices=slices: np.linalg.svd(slices, compute_uv=False))
        name = "×".join(map(str, shape))
        print(table_row((name, f"{values:.3f}", f"{whole:.3f}", f"{svd:.3f}", f"{svd / values:.1f}")), flush=True)


if __name__ == "__main__":
    main()
