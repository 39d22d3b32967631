"""A paper's figures of a weight space, as one PNG a zoo. Needs the extra `papers`: matplotlib and umap-learn.

Owns what is drawn and how: the single-linkage dendrogram, UMAP (McInnes, Healy & Melville 2018) of the weights and of
their reduction, and mean against standard deviation. Only some runs are shown where all would be a blur.
"""

from __future__ import annotations

import importlib
import importlib.util
import io
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.cluster.hierarchy import dendrogram

from mvc.errors import InputError
from mvc.papers.lineages.protocol import Floats, Ints, cut, single_linkage, truncated_svd

#: runs in the dendrogram, and in the maps
IN_TREE, IN_MAPS = 10, 50
_NEEDED = ("matplotlib", "umap")
_MIXED = "black"
_DPI = 110

Weights = npt.NDArray[np.float32]


def require_figures() -> None:
    """Raises InputError, with the command that installs it, where the extra is missing."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            f"figures need {' and '.join(missing)}, which mvc does without otherwise",
            hint="run: pip install 'modelvc[papers]'",
            code="missing-extra",
        )


def draw(title: str, weights: Weights, rank: int) -> bytes:
    """PNG of weights [runs, checkpoints, d], initial ones left out by the caller; ``rank`` of the reduced map.

    Raises InputError where the extra is missing.
    """
    require_figures()
    figure = importlib.import_module("matplotlib.figure").Figure(figsize=(12, 9.6), layout="constrained")
    tree, whole, reduced, moments = figure.subplots(2, 2).ravel()
    _tree(tree, weights[:IN_TREE])
    shown = weights[:IN_MAPS]
    runs, length, size = shown.shape
    points = shown.reshape(-1, size).astype(np.float64)  # (runs · checkpoints, d)
    mapped = f"UMAP of {runs} runs × {length} epochs"
    _map(whole, _umap(points), length, f"{mapped}, all {size:,} weights")
    rank = min(rank, len(points) - 1)
    _map(reduced, _umap(truncated_svd(points, rank)), length, f"{mapped}, {rank} singular directions")
    for unitless in (whole, reduced):
        unitless.set(xticks=[], yticks=[])
    last = _map(
        moments, np.stack([points.mean(1), points.std(1)], 1), length, "Mean and deviation of a model's weights"
    )
    moments.set(xlabel="mean", ylabel="standard deviation")
    figure.colorbar(last, ax=[whole, reduced, moments], label="epoch", shrink=0.6)
    figure.suptitle(title)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
    return buffer.getvalue()


def _tree(axes: Any, weights: Weights) -> None:
    """Dendrogram of a few runs: links within one run in its colour, those between runs black; the cut at K dashed."""
    runs, length, size = weights.shape
    merges = single_linkage(weights.reshape(-1, size).astype(np.float64))
    truth: Ints = np.repeat(np.arange(runs), length)
    colours = [importlib.import_module("matplotlib").colormaps["tab10"](run % 10) for run in range(runs)]
    tops = np.sort(merges[:, 2])[::-1]
    between = (tops[runs - 2] + tops[runs - 1]) / 2 if len(tops) >= runs > 1 else tops[0]
    drawn = dendrogram(
        merges, ax=axes, no_labels=True, link_color_func=_link_colours(merges, truth, colours, _MIXED), count_sort=True
    )
    axes.axhline(between, color="black", linewidth=0.8, linestyle="--")
    clean = all(len(set(truth[cut(merges, runs) == label])) == 1 for label in range(runs))
    axes.set(ylabel="distance of the link", xlabel=f"{len(drawn['leaves'])} checkpoints, by colour of their run")
    axes.set_title(f"Single linkage of {runs} runs, cut at K = {runs}: {'no' if clean else 'some'} runs mixed")


def _link_colours(merges: Floats, truth: Ints, colours: list[Any], mixed: str) -> Callable[[int], Any]:
    """Colour of each link: that of the one run below it, or ``mixed``."""
    below = [int(run) for run in truth]
    for left, right in merges[:, :2].astype(np.intp):
        below.append(below[left] if below[left] == below[right] else -1)
    as_hex = importlib.import_module("matplotlib.colors").to_hex
    return lambda link: mixed if below[link] < 0 else as_hex(colours[below[link]])


def _umap(points: Floats) -> Floats:
    """Coordinates [n, 2], the same every time: a fixed seed, one thread."""
    umap = importlib.import_module("umap")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a seed rules out threads
        placed: Floats = umap.UMAP(n_neighbors=min(15, len(points) - 1), random_state=0).fit_transform(points)
    return placed


def _map(axes: Any, places: Floats, length: int, title: str) -> Any:
    """Scatter of places [runs · length, 2], coloured by epoch, each run's checkpoints joined by a thin line."""
    for run in places.reshape(-1, length, 2):
        axes.plot(*run.T, color="0.8", linewidth=0.5, zorder=1)
    epochs = np.tile(np.arange(1, length + 1), len(places) // length)
    axes.set_title(title)
    return axes.scatter(*places.T, c=epochs, s=7, cmap="viridis", linewidths=0, zorder=2)
