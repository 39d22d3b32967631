"""Small networks as flat weights, with their layouts, for the tests of embeddings."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from mvc.embedding.tokens import Layout, layout
from tests.geometry.nets import cnn, mlp

Build = Callable[[], nn.Module]
NETS: list[Build] = [mlp, cnn]


def unbiased() -> nn.Module:
    """Three layers without biases."""
    sizes = ((6, 5), (5, 4), (4, 3))
    layers = [part for into, out in sizes for part in (nn.Linear(into, out, bias=False), nn.Tanh())]
    return nn.Sequential(*layers[:-1])


def flat(module: nn.Module) -> Tensor:
    """[d], float64."""
    return torch.cat([value.double().flatten() for value in module.state_dict().values()])


def layout_of(build: Build) -> Layout:
    return layout({name: tuple(value.shape) for name, value in build().state_dict().items()})


def models(build: Build, count: int) -> Tensor:
    """Weights of differently initialised networks, [count, d] float32."""
    torch.manual_seed(0)
    return torch.stack([flat(build()) for _ in range(count)]).float()


def named(weights: Tensor, of: Layout) -> dict[str, Tensor]:
    """One flat model's tensors by name."""
    return {name: weights[torch.from_numpy(places)] for name, places in of.places.items()}
