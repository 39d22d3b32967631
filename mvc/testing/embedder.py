"""A stand-in for trained embedders: random features of each tensor's sorted values. Owns its few lines; needs no torch.

It has the methods of `mvc.embedding.embedder.Embedder` that porcelain uses, is exactly invariant under permutations of
units, and learns nothing, so that what keeps and uses embedders can be tested in milliseconds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from mvc.errors import FormatError, NotFoundError

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class StandIn:
    """``seed`` makes the features."""

    shapes: Mapping[str, tuple[int, ...]]
    seed: int = 0
    latent: int = 16

    def embed(self, weights: Floats) -> Floats:
        """[n, d] → [n, latent]"""
        rng, at, parts = np.random.default_rng(self.seed), 0, []
        for shape in self.shapes.values():
            values = np.sort(weights[:, at : at + (numel := int(np.prod(shape)))], axis=1)
            at += numel
            parts.append(values @ rng.normal(size=(numel, self.latent)).astype(np.float32) / np.sqrt(numel))
        return np.tanh(sum(parts, np.zeros((len(weights), self.latent)))).astype(np.float32)

    def to_bytes(self) -> bytes:
        facts = {"shapes": list(self.shapes.items()), "seed": self.seed}
        return save({"seed": np.array([self.seed], np.float32)}, {"standin": json.dumps(facts)})


def from_bytes(raw: bytes) -> StandIn:
    size = int.from_bytes(raw[:8], "little")
    try:
        seed = int(load(raw)["seed"][0])
        facts = json.loads(json.loads(raw[8 : 8 + size])["__metadata__"]["standin"])
    except SafetensorError as error:
        raise FormatError("these bytes are no embedder, or damaged ones") from error
    assert seed == facts["seed"]
    return StandIn({name: tuple(shape) for name, shape in facts["shapes"]}, facts["seed"])


@dataclass(frozen=True)
class StandInRecipe:
    name: str
    seed: int
    batch: int = 500
    epochs: int = 50


def find_recipe(name: str) -> StandInRecipe:
    """ "stop" is one whose training is interrupted the first time."""
    if name not in ("invariant", "stop"):
        raise NotFoundError(f"no embedding recipe is called {name!r}")
    return StandInRecipe(name, 7)


def train(
    weights: Floats,
    shapes: Mapping[str, tuple[int, ...]],
    recipe: StandInRecipe,
    *,
    validation: Floats | None,
    minutes: float | None,
    start: bytes | None,
    keep: Callable[[bytes], None] | None,
    progress: Any,
    probe: Callable[[StandIn], Mapping[str, float]] | None,
) -> StandIn:
    """Weights are [models, checkpoints, d]."""
    assert weights.ndim == 3 and weights.shape[2] == sum(int(np.prod(shape)) for shape in shapes.values())
    assert validation is None or validation.shape[1:] == weights.shape[1:]
    embedder = StandIn(dict(shapes), recipe.seed)
    progress(SimpleNamespace(share=1.0, losses={"loss": 1.0}, validation={}, scores=probe(embedder) if probe else {}))
    if start not in (None, b"state"):
        raise FormatError("this state is damaged")
    if start is None and keep is not None:
        keep(b"state")
        if recipe.name == "stop":
            raise KeyboardInterrupt
    return embedder
