"""Representations that nothing is learned for but axes: weights, layer statistics, reductions. Owns how each is fitted.

Each is fitted to training rows alone and then applied to any. A kernel PCA with a radial kernel and UMAP are fitted to
a sample of the training rows, as their cost grows faster than the number of rows; all others are placed afterwards.
The cosine kernel is a scalar product of rows scaled to length one, so its PCA is exact and needs no sample.
"""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from collections.abc import Callable, Iterable

import numpy as np
from sklearn.decomposition import KernelPCA

from mvc.embedding.probes import Rows
from mvc.errors import InputError
from mvc.geometry import TRIMMED, population_statistics
from mvc.papers.characteristics.cards import Kind

Encode = Callable[[Rows], Rows]  # rows of weights (n, d) → rows of a representation (n, k)

#: training rows that a radial kernel PCA, and UMAP, are fitted to
SAMPLE = 2000
_BLOCK = 1 << 14  # above 10,000 rows at once UMAP places each in a third of the time


def fit(kind: Kind, rows: Rows, shapes: Iterable[tuple[int, ...]], *, components: int, seed: int) -> Encode:
    """The representation of that kind, fitted to training rows [n, d]; ``shapes`` are those of the tensors in d.

    Raises InputError for UMAP where the extra that has it is not installed.
    """
    components = min(components, rows.shape[1], len(rows) - 1)
    match kind:
        case "weights":
            return lambda given: given
        case "statistics":
            shapes = tuple(shapes)
            return lambda given: statistics(given, shapes)
        case "pca":
            return _pca(rows, components)
        case "pca-cosine":
            project = _pca(_unit(rows), components)
            return lambda given: project(_unit(given))
        case "pca-rbf":
            sample = _sample(rows, seed)
            kernel = KernelPCA(min(components, len(sample) - 1), kernel="rbf", random_state=seed)
            return _in_blocks(kernel.fit(sample).transform)
        case "umap":
            return _umap(_sample(rows, seed), components, seed)
        case _:
            raise InputError(f"{kind} is not fitted here: it is trained")


def statistics(rows: Rows, shapes: Iterable[tuple[int, ...]]) -> Rows:
    """s(W) [n, 7 · tensors] as the paper has it: the percentiles leave out the smallest and the largest values."""
    return population_statistics(rows, shapes, TRIMMED)


def _pca(rows: Rows, components: int) -> Encode:
    """Projection on the principal axes, by the eigenvectors of the covariance."""
    mean = rows.mean(0, dtype=np.float64)
    centred = rows - mean
    axes = np.linalg.eigh(centred.T @ centred)[1][:, ::-1][:, :components]  # (d, components)
    return lambda given: (given - mean) @ axes


def _unit(rows: Rows) -> Rows:
    """Rows scaled to length one; zeros stay."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: Rows = rows / np.where(lengths > 0, lengths, 1)
    return scaled


def _umap(sample: Rows, components: int, seed: int) -> Encode:
    """UMAP (McInnes, Healy & Melville 2018) with the authors' neighbours and distance, the same every time."""
    if importlib.util.find_spec("umap") is None:
        raise InputError("UMAP is not installed", hint="run: pip install 'modelvc[papers]'", code="missing-extra")
    umap = importlib.import_module("umap")
    neighbours = min(25, len(sample) - 1)
    mapper = umap.UMAP(
        n_components=min(components, len(sample) - 2),
        n_neighbors=neighbours,
        min_dist=0.001,
        random_state=seed,
        transform_seed=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a seed rules out threads
        mapper.fit(sample)
    return _in_blocks(mapper.transform)


def _sample(rows: Rows, seed: int) -> Rows:
    chosen = np.random.default_rng(seed).choice(len(rows), min(SAMPLE, len(rows)), replace=False)
    return rows[np.sort(chosen)]


def _in_blocks(encode: Encode) -> Encode:
    return lambda given: np.concatenate([encode(given[at : at + _BLOCK]) for at in range(0, len(given), _BLOCK)])
