"""Layer statistics are what their names say, tensor by tensor."""

from __future__ import annotations

import numpy as np
import pytest

from mvc.geometry.statistics import (
    EXTREMES,
    TRIMMED,
    layer_statistics,
    population_statistics,
    statistic_names,
    tensor_statistics,
)


@pytest.mark.parametrize("percentiles", [EXTREMES, TRIMMED])
@pytest.mark.parametrize("shape", [(5, 4), (), (3, 2, 3, 3)])
def test_seven_figures_of_one_tensor(percentiles: tuple[int, ...], shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).normal(1, 2, size=shape)
    found = tensor_statistics(values, percentiles)
    expected = [values.mean(), values.var(), *np.percentile(values, percentiles)]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_a_model_is_its_tensors_in_order() -> None:
    rng = np.random.default_rng(1)
    tensors = {"fc.bias": rng.normal(size=3), "fc.weight": rng.normal(size=(3, 2))}
    found = layer_statistics(iter(tensors.values()))
    names = statistic_names(tensors)
    assert found.shape == (14,) == (len(names),)
    assert dict(zip(names, found, strict=True))["fc.weight p100"] == tensors["fc.weight"].max()
    assert names[0] == "fc.bias mean"


def test_halves_are_widened_before_they_are_summed() -> None:
    values = np.full(100_000, 60_000, np.float16)
    np.testing.assert_array_equal(tensor_statistics(values), [60_000, 0, *[60_000] * 5])


def test_what_is_not_finite_is_left_out() -> None:
    values = np.array([1.0, np.nan, 3.0, np.inf])
    np.testing.assert_array_equal(tensor_statistics(values), tensor_statistics(np.array([1.0, 3.0])))
    assert np.isnan(tensor_statistics(np.array([np.nan]))).all()
    assert np.isnan(tensor_statistics(np.empty(0))).all()


def test_many_models_at_once_are_each_by_itself() -> None:
    shapes = [(3, 2), (3,), (1,)]
    points = np.random.default_rng(2).normal(size=(4, 10)).astype(np.float32)
    alone = [layer_statistics([row[:6], row[6:9], row[9:]], TRIMMED) for row in points]
    np.testing.assert_allclose(population_statistics(points, shapes, TRIMMED), alone, atol=1e-12)
