"""Losses against formulas written out as loops."""

from __future__ import annotations

import math

import pytest
import torch

from mvc.embedding.losses import closeness, nt_xent, reconstruction


def _cosine(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(a @ b / (a.norm() * b.norm()))


def test_nt_xent_is_the_formula() -> None:
    torch.manual_seed(0)
    first, second = torch.randn(5, 3), torch.randn(5, 3)
    views = [*first, *second]
    total = 0.0
    for i, anchor in enumerate(views):
        partner = views[(i + 5) % 10]
        others = sum(math.exp(_cosine(anchor, other) / 0.1) for j, other in enumerate(views) if j != i)
        total -= math.log(math.exp(_cosine(anchor, partner) / 0.1) / others)
    assert float(nt_xent(first, second, 0.1)) == pytest.approx(total / 10, rel=1e-4)


def test_closeness_is_the_formula_and_zero_for_equal_directions() -> None:
    torch.manual_seed(1)
    first, second = torch.randn(5, 3), torch.randn(5, 3)
    expected = sum(2 - 2 * _cosine(a, b) for a, b in zip(first, second, strict=True)) / 5
    assert float(closeness(first, second)) == pytest.approx(expected, rel=1e-4)
    assert float(closeness(first, 3 * first)) == pytest.approx(0, abs=1e-6)


def test_reconstruction_is_the_mean_squared_error() -> None:
    a, b = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[1.0, 0.0], [0.0, 4.0]])
    assert float(reconstruction(a, b)) == pytest.approx((0 + 4 + 9 + 0) / 4)
