"""The networks: shapes, what they read, and which are blind to the order of hidden units."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from mvc.embedding.augment import Permuter
from mvc.embedding.blocks import Statistics
from mvc.embedding.embedder import Network
from mvc.embedding.model import build_decoder, build_encoder
from mvc.embedding.recipes import RECIPES, Recipe, find_recipe, recipe_from_json
from mvc.embedding.tokens import Layout, layout
from mvc.errors import InputError, NotFoundError
from mvc.geometry import TRIMMED, layer_statistics
from tests.embedding.places import NETS, Build, layout_of, models, named, unbiased
from tests.geometry.nets import ResNet

SMALL = Recipe("small", width=16, heads=2, feedforward=24, latent=8, projection=(8, 4))


def _variety() -> list[Recipe]:
    attention = [
        replace(SMALL, tokens=tokens, pooling=pooling, statistics=statistics, loss="E_cD")
        for tokens in ("weight", "neuron", "unit")
        for pooling, statistics in (("token", False), ("aggregate", True), ("moments", True))
    ]
    return [*attention, replace(SMALL, encoder="feedforward", loss="ED"), replace(SMALL, encoder="invariant")]


@pytest.mark.parametrize("recipe", _variety(), ids=lambda r: f"{r.encoder}-{r.tokens}-{r.pooling}")
def test_every_weight_moves_the_latent_vector_and_is_written_again(recipe: Recipe) -> None:
    of = layout_of(unbiased)
    torch.manual_seed(0)
    encoder, decoder = build_encoder(recipe, of), build_decoder(recipe, of)
    weights = torch.randn(3, of.size, requires_grad=True)
    latent = encoder(weights)
    assert latent.shape == (3, recipe.latent) and latent.abs().max() <= 1
    (slope,) = torch.autograd.grad((latent * torch.randn(latent.shape)).sum(), weights)
    assert (slope != 0).all()
    assert (decoder is None) == (recipe.loss == "E_c")
    if decoder is not None:
        assert decoder(latent).shape == (3, of.size)


@pytest.mark.parametrize("statistics", [False, True])
@pytest.mark.parametrize("build", [*NETS, unbiased, ResNet])
def test_the_invariant_encoder_is_blind_to_the_order_of_units(build: Build, statistics: bool) -> None:
    state = {n: v for n, v in build().state_dict().items() if "running" not in n and "num_" not in n}
    of = layout({name: tuple(value.shape) for name, value in state.items()})
    torch.manual_seed(3)
    encoder = build_encoder(replace(SMALL, encoder="invariant", statistics=statistics), of).double()
    for parameter in encoder.parameters():  # positions and biases too: nothing is hidden by a start at zero
        parameter.data.add_(0.2 * torch.randn(parameter.shape))
    weights = torch.randn(6, of.size).double() * 0.3
    permuter = Permuter(of)
    moved = permuter(weights, permuter.draw(6))
    found = encoder(weights)
    assert torch.allclose(encoder(moved), found, atol=1e-10)
    # what is no permutation of units is seen: one tensor shuffled alone, and one unit moved in one layer only
    assert not torch.allclose(encoder(weights[:, torch.randperm(of.size)]), found, atol=1e-3)
    half = [orders if number else orders.roll(1, 0) for number, orders in enumerate(permuter.draw(6))]
    name = next(iter(of.spec.units[0].read)).tensor
    places = torch.from_numpy(of.places[name].ravel())
    broken = weights.clone()
    broken[:, places] = permuter(weights, half)[:, places]
    assert not torch.allclose(encoder(broken), found, atol=1e-4)


def test_attention_with_positions_is_not_blind() -> None:
    of = layout_of(unbiased)
    torch.manual_seed(0)
    encoder = build_encoder(SMALL, of)
    weights = models(unbiased, 4)
    permuter = Permuter(of)
    assert not torch.allclose(encoder(permuter(weights, permuter.draw(4))), encoder(weights), atol=1e-3)


@pytest.mark.parametrize("build", [*NETS, unbiased])
def test_statistics_are_the_engines(build: Build) -> None:
    of = layout_of(build)
    weights = models(build, 5)
    statistics = Statistics(of)
    found = statistics.raw(weights)
    for row, model in zip(found, weights, strict=True):
        expected = layer_statistics([part.numpy() for part in named(model, of).values()], TRIMMED)
        assert np.allclose(row.numpy(), expected, atol=1e-5)
    statistics.fit(weights)
    scaled = statistics(weights)
    assert torch.allclose(scaled.mean(0), torch.zeros(()), atol=1e-4)


def _plain(of: Layout, recipe: Recipe) -> int:
    return sum(one.numel() for one in Network(recipe, of).state_dict().values())


def test_the_papers_recipe_has_the_papers_sizes() -> None:
    recipe = find_recipe("schurholt-2021")
    of = layout({"fc1.weight": (5, 16), "fc2.weight": (4, 5)})
    block = 4 * (256 * 256 + 256) + (256 * 512 + 512) + (512 * 256 + 256) + 4 * 256
    encoder = (16 * 256 + 256) + (5 * 256 + 256) + 9 * 256 + 256 + 2 * block + (256 * 50 + 50)
    decoder = (50 * 9 * 256 + 9 * 256) + 9 * 256 + 2 * block + (256 * 16 + 16) + (256 * 5 + 5)
    assert _plain(of, recipe) == encoder + decoder + 2 * 2  # and each tensor's mean and deviation


def test_recipes_are_values_that_json_carries() -> None:
    for name, recipe in RECIPES.items():
        assert find_recipe(name) is recipe and recipe_from_json(recipe.to_json()) == recipe
    with pytest.raises(NotFoundError, match="no embedding recipe"):
        find_recipe("no such")
    facts = SMALL.to_json()
    for wrong in ({}, facts | {"width": "16"}, facts | {"more": 1}, facts | {"width": True}, facts | {"width": 0}):
        with pytest.raises(InputError):
            recipe_from_json(wrong)


@pytest.mark.parametrize(
    "change",
    [
        {"encoder": "recurrent"}, {"width": 15}, {"latent": 0}, {"latent": 1 << 40}, {"dropout": 1.0}, {"gamma": 1.5},
        {"temperature": 0.0}, {"lr": float("nan")}, {"encoder": "invariant", "loss": "E_cD"}, {"projection": ()},
        {"erase_share": (0.1,)},
    ],
)  # fmt: skip
def test_recipes_that_cannot_be_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(InputError, match="small"):
        replace(SMALL, **change)  # type: ignore[arg-type]
