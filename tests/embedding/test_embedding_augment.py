"""Views of a model: permutations keep the function, its gradients and the engine's meaning; erasing erases."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.func import functional_call, grad

from mvc.embedding.augment import Permuter, erase_blocks, erase_scattered, view
from mvc.embedding.recipes import Recipe
from mvc.embedding.tokens import layout
from mvc.geometry import permute
from tests.embedding.places import NETS, Build, flat, layout_of, named, unbiased
from tests.geometry.nets import INPUTS, ResNet

INPUT = {**INPUTS, unbiased: (7, 6)}


@pytest.mark.parametrize("build", [*NETS, unbiased])
def test_function_and_gradients_are_kept(build: Build) -> None:
    torch.manual_seed(1)
    net, of = build().double(), layout_of(build)
    x = torch.randn(INPUT[build]).double()
    permuter = Permuter(of)
    orders = permuter.draw(2)
    weights = flat(net).expand(2, -1)
    moved = permuter(weights, orders)
    assert (moved[0] != moved[1]).any() and (moved[0] != weights[0]).any()

    def loss(parameters: dict[str, torch.Tensor]) -> torch.Tensor:
        outputs: torch.Tensor = functional_call(net, parameters, (x,))
        return outputs.square().sum()

    slope = torch.cat([part.flatten() for part in grad(loss)(named(weights[0], of)).values()])
    for row, sources in zip(moved, permuter.sources(orders), strict=True):
        assert torch.allclose(functional_call(net, named(row, of), (x,)), net(x))
        found = torch.cat([part.flatten() for part in grad(loss)(named(row, of)).values()])
        assert torch.allclose(found, slope[sources])


@pytest.mark.parametrize("build", [*NETS, unbiased, ResNet])
def test_batched_permutation_is_the_engines(build: Build) -> None:
    torch.manual_seed(2)
    state = {n: v for n, v in build().state_dict().items() if "running" not in n and "num_" not in n}
    of = layout({name: tuple(value.shape) for name, value in state.items()})
    permuter = Permuter(of)
    orders = permuter.draw(3)
    weights = torch.cat([value.flatten() for value in state.values()])
    moved = permuter(weights.expand(3, -1), orders)
    for row in range(3):
        arrays = {name: value.numpy() for name, value in named(weights, of).items()}
        for units, order in zip(of.spec.units, orders, strict=True):
            arrays = permute(arrays, units, order[row].numpy())
        assert np.array_equal(moved[row].numpy(), np.concatenate([array.ravel() for array in arrays.values()]))


def test_blocks_are_one_stretch_of_the_share_asked_for() -> None:
    torch.manual_seed(3)
    zero = erase_blocks(torch.ones(2000, 100), 0.5, (0.1, 0.3)) == 0
    hit = zero.any(1)
    assert 0.45 < hit.float().mean() < 0.55
    lengths = zero[hit].sum(1)
    assert lengths.min() >= 9 and lengths.max() <= 30 and lengths.float().std() > 3
    edges = zero[hit].int().diff(dim=1).abs().sum(1)
    assert edges.max() <= 2
    assert zero[:, 0].any() and zero[:, -1].any()


def test_scattered_erasing_takes_its_share() -> None:
    torch.manual_seed(4)
    zero = erase_scattered(torch.ones(2000, 100), 0.5, (0.1, 0.3)) == 0
    assert abs(float(zero.float().mean()) - 0.1) < 0.02


def test_a_view_without_augmentations_is_the_model() -> None:
    of = layout_of(unbiased)
    weights = torch.randn(4, of.size)
    bare = Recipe("bare", permute=False)
    assert all(torch.equal(one, weights) for one in view(weights, bare, Permuter(of)))
    seen, whole = view(weights, Recipe("noisy", permute=False, noise=0.1), Permuter(of))
    assert torch.equal(whole, weights) and 0.05 < (seen - weights).std() < 0.15
