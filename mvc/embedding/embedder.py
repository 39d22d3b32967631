"""A trained embedder: weights in, latent vectors out. Owns what is applied after training, and its bytes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from mvc.embedding.blocks import Slots, Statistics
from mvc.embedding.model import build_decoder, build_encoder
from mvc.embedding.packing import check, pack, unpack
from mvc.embedding.recipes import Recipe, recipe_from_json
from mvc.embedding.tokens import Layout, layout
from mvc.errors import FormatError, InputError
from mvc.geometry.permutations import Shapes

Floats = npt.NDArray[np.float32]

_WHAT, _VERSION = "embedder", 1
#: models that the moments of statistics are fitted to, at most
_SAMPLE = 1 << 12
#: deviations between which squares are normal numbers of single precision
_LEAST, _MOST = 1e-15, 1e15
#: values that one forward pass may hold at once
_AT_ONCE = 1 << 23


class LayerScaling(nn.Module):
    """Layer-wise standardisation: each tensor's weights by one mean and one deviation, so that units may still move."""

    mean: Tensor
    deviation: Tensor
    sizes: Tensor

    def __init__(self, of: Layout) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(len(of.places)))
        self.register_buffer("deviation", torch.ones(len(of.places)))
        sizes = torch.tensor([places.size for places in of.places.values()], device="cpu")
        self.register_buffer("sizes", sizes, persistent=False)

    def fit(self, weights: Tensor) -> None:
        """By the tensors of all these models, (N, d)."""
        for number, part in enumerate(torch.split(weights, self.sizes.tolist(), 1)):
            mean = part.mean(dtype=torch.float64)
            deviation = (part - mean).square().mean(dtype=torch.float64).sqrt()
            if not _LEAST < deviation < _MOST:  # single precision has not room for such squares
                deviation = (part.double() - mean).square().mean().sqrt()
            self.mean[number] = mean
            self.deviation[number] = deviation if deviation > 0 else 1.0

    def forward(self, weights: Tensor) -> Tensor:
        mean, deviation = (one.repeat_interleave(self.sizes) for one in (self.mean, self.deviation))  # (d) each
        return (weights - mean) / deviation  # (B, d)


class Network(nn.Module):
    """All that an embedder has learned. ``decoder`` is there where the recipe rebuilds weights."""

    def __init__(self, recipe: Recipe, of: Layout) -> None:
        super().__init__()
        self.scaling = LayerScaling(of)
        self.encoder = build_encoder(recipe, of)
        self.decoder = build_decoder(recipe, of)

    @torch.no_grad()
    def fit(self, weights: Tensor) -> None:
        """The moments that weights and their statistics are standardised by, of training models (N, d)."""
        self.scaling.fit(weights)
        some = weights[:: -(-len(weights) // _SAMPLE)]
        for part in self.encoder.modules():
            if isinstance(part, Statistics):
                part.fit(self.scaling(some))


def empty_network(recipe: Recipe, of: Layout) -> Network:
    """One that waits to be assigned its tensors: nothing is allocated, and no random number drawn."""
    with torch.device("meta"):
        return Network(recipe, of)


class Embedder:
    """``shapes``: name → shape of the tensors, in the order in which models are flattened. ``facts``: of its training.

    Never changed after it is made.
    """

    def __init__(
        self, shapes: Shapes, recipe: Recipe, network: Network | None = None, facts: Mapping[str, Any] | None = None
    ) -> None:
        self.shapes: Mapping[str, tuple[int, ...]] = dict(shapes)
        self.recipe = recipe
        self.facts: Mapping[str, Any] = dict(facts or {})
        self._layout = layout(shapes)
        self._network = (Network(recipe, self._layout) if network is None else network).eval()
        widest = sum(math.prod(part.shape[:-1]) for part in self._network.modules() if isinstance(part, Slots))
        self._at_once = max(1, _AT_ONCE // (recipe.width * max(1, widest) + self._layout.size))

    def embed(self, weights: npt.ArrayLike) -> Floats:
        """Latent vectors [N, latent] float32 of models [N, d] of any float dtype. Raises InputError."""
        flat = self._checked(weights)
        out = np.empty((len(flat), self.recipe.latent), np.float32)
        for start in range(0, len(flat), self._at_once):
            part = slice(start, start + self._at_once)
            out[part] = self._encode(torch.from_numpy(flat[part])).numpy()
        return out

    def to_bytes(self) -> bytes:
        """Canonical: the same embedder, the same bytes."""
        facts = {
            "kind": _WHAT,
            "version": _VERSION,
            "recipe": self.recipe.to_json(),
            "shapes": [[name, list(shape)] for name, shape in self.shapes.items()],
            "facts": dict(self.facts),
        }
        return pack(self._network.state_dict(), facts)

    @torch.inference_mode()
    def _encode(self, weights: Tensor) -> Tensor:
        latent: Tensor = self._network.encoder(self._network.scaling(weights))
        return latent

    def _checked(self, weights: npt.ArrayLike) -> Floats:
        flat = np.ascontiguousarray(weights, np.float32)
        if flat.ndim != 2 or flat.shape[1] != self._layout.size:
            raise InputError(f"this embedder takes models of {self._layout.size} weights, not an array of {flat.shape}")
        if not np.isfinite(flat).all():
            raise InputError("a model with weights that are not finite has no embedding")
        return flat


def from_bytes(raw: bytes) -> Embedder:
    """The embedder of `Embedder.to_bytes`. Raises FormatError; runs no code, and needs no more memory than ``raw``."""
    tensors, facts = unpack(raw, _WHAT, _VERSION)
    try:
        recipe = recipe_from_json(facts["recipe"])
        shapes = {str(name): tuple(int(side) for side in shape) for name, shape in facts["shapes"]}
        about = dict(facts["facts"])
        if not all(side > 0 for shape in shapes.values() for side in shape):
            raise ValueError("an empty tensor")
        of = layout(shapes)
        network = empty_network(recipe, of)
        check(network, tensors, _WHAT)
    except (InputError, LookupError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"this embedder is damaged: {error}") from error
    network.load_state_dict(tensors, assign=True)
    return Embedder(shapes, recipe, network, about)
