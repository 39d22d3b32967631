"""Spectra of matrices whose spectra are known, and silence where there is too little to read."""

from __future__ import annotations

import math

import ml_dtypes
import numpy as np
import pytest

from mvc.geometry.bulk import fit_bulk, marchenko_pastur_edge, marchenko_pastur_median
from mvc.geometry.spectra import LayerSpectrum, eigenvalues, layer_spectrum
from mvc.geometry.tails import fit_tail, plausibility

SHAPES = [(64, 64), (256, 64), (48, 300), (32, 16, 3, 3), (16, 40, 5)]


def random_weight(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return 0.05 * np.random.default_rng(seed).normal(size=shape)


def read(array: np.ndarray) -> LayerSpectrum:
    found = layer_spectrum(array)
    assert isinstance(found, LayerSpectrum)
    return found


@pytest.mark.parametrize("shape", SHAPES)
def test_eigenvalues_are_squared_singular_values_of_each_place(shape: tuple[int, ...]) -> None:
    weight = random_weight(shape)
    slices = weight.reshape(*shape[:2], -1).transpose(2, 0, 1)
    singular = np.linalg.svd(slices, compute_uv=False)
    found = read(weight)
    np.testing.assert_allclose(found.eigenvalues, np.sort(singular.ravel() ** 2), rtol=1e-9)
    assert found.spectral_norm == pytest.approx(singular.max())
    assert found.stable_rank == pytest.approx((weight**2).sum() / singular.max() ** 2)
    assert (found.rows, found.columns, found.slices) == (max(shape[:2]), min(shape[:2]), math.prod(shape[2:]))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_random_matrix_is_all_bulk(shape: tuple[int, ...]) -> None:
    bulks = [read(random_weight(shape, seed)).bulk for seed in range(20)]
    edges = [bulk.edge for bulk in bulks if bulk]
    truth = marchenko_pastur_edge(0.05**2, max(shape[:2]), min(shape[:2]))
    assert len(edges) == 20
    assert np.mean(edges) == pytest.approx(truth, rel=0.04)
    assert sum(bulk.spikes > 0 for bulk in bulks if bulk) <= 2
    assert np.mean([bulk.distance for bulk in bulks if bulk]) < 0.08


@pytest.mark.parametrize("planted", [1, 5])
def test_planted_directions_are_counted(planted: int) -> None:
    rng = np.random.default_rng(1)
    weight = random_weight((300, 200))
    left, _ = np.linalg.qr(rng.normal(size=(300, planted)))
    right, _ = np.linalg.qr(rng.normal(size=(200, planted)))
    size = math.sqrt(marchenko_pastur_edge(0.05**2, 300, 200))
    found = read(weight + 2 * size * left @ right.T)
    assert found.bulk is not None and found.bulk.spikes == planted
    assert found.bulk.softrank < 0.5


def test_the_median_is_that_of_gavish_and_donoho() -> None:
    """Their coefficient for a square matrix of unknown noise is 2.858 = (4 / √3) / √median."""
    assert 4 / math.sqrt(3) / math.sqrt(marchenko_pastur_median(1.0)) == pytest.approx(2.858, abs=1e-3)


@pytest.mark.parametrize("alpha", [1.5, 2.5, 4.0])
def test_an_exponent_is_found_again_within_its_error(alpha: float) -> None:
    rng = np.random.default_rng(3)
    body, tail = rng.uniform(0.2, 1.0, 500), (1 - rng.random(1500)) ** (-1 / (alpha - 1))
    found = fit_tail(np.concatenate([body, tail]))
    assert found is not None
    assert abs(found.alpha - alpha) < 4 * found.error
    assert found.tail >= 300
    assert found.distance < 0.03


def test_a_power_law_is_plausible_and_a_uniform_law_is_not() -> None:
    rng = np.random.default_rng(4)
    heavy, flat = (1 - rng.random(300)) ** (-1 / 1.5), rng.uniform(1, 4, 2000)
    for sample, plausible in ((heavy, True), (flat, False)):
        fit = fit_tail(sample)
        assert fit is not None
        assert (plausibility(sample, fit, rng, samples=40) > 0.1) is plausible


def test_scale_moves_what_it_should_and_nothing_else() -> None:
    weight = random_weight((200, 100)) + np.outer(np.ones(200), np.linspace(0, 0.3, 100))
    one, other = read(weight), read(weight * 64)
    assert one.bulk and other.bulk and one.tail and other.tail
    assert other.spectral_norm == pytest.approx(64 * one.spectral_norm)
    assert other.stable_rank == pytest.approx(one.stable_rank)
    assert other.tail.alpha == pytest.approx(one.tail.alpha)
    assert other.bulk.edge == pytest.approx(64**2 * one.bulk.edge)
    assert other.bulk.spikes == one.bulk.spikes


@pytest.mark.parametrize("dtype", [np.float16, np.float32, ml_dtypes.bfloat16])
def test_every_float_dtype(dtype: type) -> None:
    weight = random_weight((80, 60)).astype(dtype)
    assert read(weight).spectral_norm == pytest.approx(np.linalg.norm(weight.astype(np.float64), 2))


@pytest.mark.parametrize(
    ("weight", "reason"),
    [
        (np.ones(64), "not a matrix"),
        (np.ones(()), "not a matrix"),
        (np.ones((0, 64)), "not a matrix"),
        (np.ones((7, 64)), "smaller side 7, 8 are needed"),
        (np.broadcast_to(np.float32(1), (5000, 5000)), "smaller side 5,000, up to 4,096 are solved"),
        (np.zeros((64, 64)), "all zero"),
        (np.where(np.eye(64) > 0, np.nan, 1.0), "values that are not finite"),
        (np.where(np.eye(64) > 0, np.inf, 1.0), "values that are not finite"),
    ],
)
def test_silence_with_its_reason(weight: np.ndarray, reason: str) -> None:
    assert layer_spectrum(weight) == reason


def test_a_small_layer_has_norms_and_no_more() -> None:
    found = read(random_weight((64, 20)))
    assert found.bulk is None and found.tail is None
    assert found.silence == ("fewer than 32 eigenvalues, no bulk", "fewer than 50 eigenvalues above zero, no exponent")


def test_a_low_rank_matrix_has_neither() -> None:
    rng = np.random.default_rng(0)
    found = read(rng.normal(size=(100, 5)) @ rng.normal(size=(5, 90)))
    assert found.silence == ("rank below half, no bulk", "fewer than 50 eigenvalues above zero, no exponent")


def test_equal_eigenvalues_have_no_tail() -> None:
    found = read(np.eye(64))
    assert found.tail is None and found.silence == ("all eigenvalues alike, no tail",)
    assert fit_tail(np.full(60, 3.0)) is None


def test_pooled_eigenvalues_keep_their_law() -> None:
    values = eigenvalues(random_weight((64, 32, 3, 3)))
    assert values is not None and values.shape == (288,)
    bulk = fit_bulk(values, 64, 32)
    assert not isinstance(bulk, str)
    assert bulk.variance == pytest.approx(0.05**2, rel=0.05)
