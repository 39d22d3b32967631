"""Forward pass of many models of one architecture at once. Owns initial weights and the batched layers, no training.

A population is one float32 tensor P (S, d): row s is model s, its weights flattened in file order. Every layer is a
``bmm`` over models, convolutions too (their patches are unfolded first), because grouped convolutions with so few
channels run far slower on a CPU. No model's arithmetic reads another model's row.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mvc.zoo.cards import Activation, Architecture, Card, Conv, Init

_UNFOLDED = 1 << 27  # numbers of all images' patches together that are kept: 512 MB


def generator(*key: object) -> torch.Generator:
    """A random stream of its own for each key: no state to save, none shared between models, purposes or epochs."""
    digest = hashlib.blake2b("/".join(map(str, key)).encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)


def initial_weights(cards: Card | Sequence[Card], seeds: Sequence[int]) -> Tensor:
    """Untrained weights P (S, d); row s depends on seeds[s] and its card's architecture and initialisation alone."""
    rows = []
    for card, seed in zip([cards] * len(seeds) if isinstance(cards, Card) else cards, seeds, strict=True):
        stream = generator(seed, "init")
        fan_in = 1
        parts = []
        for name, shape in card.architecture.shapes().items():
            if name.endswith(".weight"):
                fan_in = math.prod(shape[1:])
                parts.append(_draw(card.init, shape, stream).flatten())
            elif card.initial_bias is not None:
                parts.append(torch.full(shape, card.initial_bias))
            else:
                parts.append((torch.rand(shape, generator=stream) * 2 - 1) / math.sqrt(fan_in))
        rows.append(torch.cat(parts))
    return torch.stack(rows)  # (S, d)


def _draw(init: Init, shape: tuple[int, ...], stream: torch.Generator) -> Tensor:
    """Named as torch.nn.init has them, with its default gains; "uniform" is U(0, 1) and "normal" N(0, 1), likewise."""
    fan_in = math.prod(shape[1:])
    fan_out = shape[0] * math.prod(shape[2:])
    if init == "uniform":
        return torch.rand(shape, generator=stream)
    variance = {"kaiming": 2 / fan_in, "xavier": 2 / (fan_in + fan_out), "normal": 1.0}[init.split("_")[0]]
    if init.endswith("uniform"):
        return (torch.rand(shape, generator=stream) * 2 - 1) * math.sqrt(3 * variance)
    return torch.randn(shape, generator=stream) * math.sqrt(variance)


def views(flat: Tensor, architecture: Architecture) -> dict[str, Tensor]:
    """name → view (S, *shape) into P (S, d), one a weight, in file order; a single model is S = 1."""
    named = {}
    start = 0
    for name, shape in architecture.shapes().items():
        stop = start + math.prod(shape)
        named[name] = flat[:, start:stop].view(-1, *shape)
        start = stop
    return named


def inputs(images: Tensor, architecture: Architecture) -> Tensor:
    """What ``forward`` takes, from images (N, C, H, W): (N, d_in), the first convolution's patches (N, L, C·k·k), or,
    where those would fill the memory, the images.

    Data that is not too large is unfolded once here and not at every step.
    """
    if not architecture.convs:
        return images.flatten(1)  # (N, d_in)
    first, sides, _ = architecture.planes()[0]
    if images.shape[0] * math.prod(sides) * images.shape[1] * first.kernel**2 > _UNFOLDED:
        return images
    return _patches(images, first).contiguous()  # (N, L, C·k·k)


def dropped_units(architecture: Architecture) -> list[tuple[int, ...]]:
    """Shape of what dropout may silence, for each place that has it, in the order of ``forward``: (C, h, w) or (H,)."""
    places = [(conv.channels, *sides) for conv, _, sides in architecture.planes() if conv.pool > 1]
    return [*places, *((units,) for units in architecture.hidden)]


def forward(
    x: Tensor, weights: Mapping[str, Tensor], architecture: Architecture, masks: Sequence[Tensor] = ()
) -> Tensor:
    """Outputs (S, B, classes) of S models on their own batches x (S, B, …) of ``inputs``.

    ``masks``, one (S, B, *shape) for each of ``dropped_units``, are multiplied with what those places give; without
    them nothing is dropped.
    """
    act = architecture.activation
    models, batch = x.shape[:2]
    kept = iter(masks)
    for number, (conv, (height, width), pooled) in enumerate(architecture.planes(), 1):
        if x.dim() == 5:
            x = _patches(x.flatten(0, 1), conv)  # (S·B, L, C·k·k)
        x = x.reshape(models, batch * height * width, -1)  # (S, B·L, C·k·k)
        x = _linear(x, weights, f"conv{number}")  # (S, B·L, O)
        x = x.view(models * batch, height * width, conv.channels).transpose(1, 2)  # (S·B, O, L)
        x = x.reshape(models * batch, conv.channels, height, width)  # (S·B, O, h, w)
        if conv.pool > 1:
            x = F.max_pool2d(x, conv.pool)
        x = activate(x, act).view(models, batch, conv.channels, *pooled)  # (S, B, O, h, w)
        if masks and conv.pool > 1:
            x = x * next(kept)
    if architecture.convs:
        x = x.flatten(2)  # (S, B, O·h·w)
    for number in range(1, len(architecture.hidden) + 1):
        x = activate(_linear(x, weights, f"fc{number}"), act)  # (S, B, H)
        if masks:
            x = x * next(kept)
    return _linear(x, weights, f"fc{len(architecture.hidden) + 1}")  # (S, B, classes)


def activate(x: Tensor, activation: Activation) -> Tensor:
    """The activation of that name, elementwise, any shape."""
    match activation:
        case "sigmoid":
            return torch.sigmoid(x)
        case "tanh":
            return torch.tanh(x)
        case "relu":
            return torch.relu(x)
        case "leaky_relu":
            return F.leaky_relu(x)
        case "gelu":
            return F.gelu(x)


def _linear(x: Tensor, weights: Mapping[str, Tensor], layer: str) -> Tensor:
    """(S, B, in) → (S, B, out)"""
    weight = weights[f"{layer}.weight"].flatten(2).transpose(1, 2)  # (S, in, out)
    bias = weights.get(f"{layer}.bias")
    if bias is None:
        return torch.bmm(x, weight)
    return torch.baddbmm(bias.unsqueeze(1), x, weight)


def _patches(images: Tensor, conv: Conv) -> Tensor:
    """(N, C, H, W) → (N, L, C·k·k)"""
    if images.shape[2] == images.shape[3] == conv.kernel:  # one patch is the whole image: nothing to copy
        return images.flatten(1).unsqueeze(1)
    return F.unfold(images, conv.kernel, stride=conv.stride).transpose(1, 2)
