"""Forward pass of many models of one architecture at once. Owns initial weights and the batched layers, no training.

A population is one float32 tensor P (S, d): row s is model s, its weights flattened in file order. Every layer is a
``bmm`` over models, convolutions too (their patches are unfolded first), because grouped convolutions with so few
channels run far slower on a CPU. A batch's images lie side by side in memory, features apart. No model's arithmetic
reads another's row.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from mvc.zoo.cards import Activation, Architecture, Card, Conv, Init


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


def views(flat: Tensor, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """name → view (S, *shape) into P (S, d), one a weight, in the order of ``shapes``; a single model is S = 1."""
    named = {}
    start = 0
    for name, shape in shapes.items():
        stop = start + math.prod(shape)
        named[name] = flat[:, start:stop].view(-1, *shape)
        start = stop
    return named


def inputs(images: Tensor, architecture: Architecture) -> Tensor:
    """What ``forward`` takes, from images (N, C, H, W): themselves, or flat (N, d_in) where there is no convolution."""
    return images if architecture.convs else images.flatten(1)


def fetch(table: Tensor, numbers: Tensor) -> Tensor:
    """(N, …) by numbers (…) → (…, …); index_select copies whole rows, several times faster than indexing does."""
    return table.index_select(0, numbers.flatten()).view(*numbers.shape, *table.shape[1:])


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
    kept = iter(masks)
    planes = architecture.planes()
    models, batch = x.shape[:2]
    if x.stride(0) == 0:  # every model is shown the same images: unfolded once
        x = x[:1]
    if planes:
        x = x.permute(0, 2, 3, 4, 1).contiguous()  # (S, C, H, W, B)
    for number, (conv, sides, pooled) in enumerate(planes, 1):
        x = _Patches.apply(x, conv, sides)  # type: ignore[no-untyped-call]  # (S, C·k·k, h·w·B)
        x = _linear(x, weights, f"conv{number}")  # (S, O, h·w·B)
        if conv.pool > 1:  # images as channels: PyTorch pools (N, C, H, W) fast where C comes last in memory
            x = x.view(models * conv.channels, *sides, batch).permute(0, 3, 1, 2)  # (S·O, B, h, w)
            x = F.max_pool2d(x, conv.pool).permute(0, 2, 3, 1)
        x = activate(x.reshape(models, conv.channels, *pooled, batch), act)  # (S, O, h, w, B)
        if masks and conv.pool > 1:
            x = x * next(kept).permute(0, 2, 3, 4, 1)
    x = x.flatten(1, 3) if planes else x.transpose(1, 2)  # (S, d_in, B)
    for number in range(1, len(architecture.hidden) + 1):
        x = activate(_linear(x, weights, f"fc{number}"), act)  # (S, H, B)
        if masks:
            x = x * next(kept).transpose(1, 2)
    return _linear(x, weights, f"fc{len(architecture.hidden) + 1}").transpose(1, 2)  # (S, B, classes)


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
    """(S, in, n), or (1, in, n) for all models, → (S, out, n)"""
    weight = weights[f"{layer}.weight"].flatten(2)  # (S, out, in)
    bias = weights.get(f"{layer}.bias")
    if len(x) < len(weight):  # one product, several times as fast as one a model
        outputs = (weight.flatten(0, 1) @ x[0]).view(*weight.shape[:2], -1)
        return outputs if bias is None else outputs + bias.unsqueeze(2)
    if bias is None:
        return torch.bmm(weight, x)
    return torch.baddbmm(bias.unsqueeze(2), weight, x)


class _Patches(torch.autograd.Function):
    """What a convolution sees, (S, C, H, W, B) → (S, C·k·k, h·w·B): rows of images, a whole batch at once.

    PyTorch's own unfold copies image by image, in runs as short as these images' rows.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, conv: Conv, sides: tuple[int, int]) -> Tensor:
        ctx.shape, ctx.conv, ctx.sides = x.shape, conv, sides
        models, channels, _, _, batch = x.shape
        patches = x.new_empty(models, channels, conv.kernel, conv.kernel, *sides, batch)
        for (row, column), seen in _windows(conv, sides):
            patches[:, :, row, column] = x[seen]
        return patches.view(models, channels * conv.kernel**2, -1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, None, None]:
        if not ctx.needs_input_grad[0]:
            return None, None, None
        models, channels, _, _, batch = ctx.shape
        patches = grads[0].view(models, channels, ctx.conv.kernel, ctx.conv.kernel, *ctx.sides, batch)
        grad = grads[0].new_zeros(ctx.shape)
        for (row, column), seen in _windows(ctx.conv, ctx.sides):
            grad[seen] += patches[:, :, row, column]
        return grad, None, None


def _windows(conv: Conv, sides: tuple[int, int]) -> Iterator[tuple[tuple[int, int], tuple[slice, ...]]]:
    """For each of a kernel's weights its row and column, and the pixels of (S, C, H, W, B) that it meets."""
    every = slice(None)
    for row in range(conv.kernel):
        for column in range(conv.kernel):
            rows, columns = (
                slice(first, first + conv.stride * (side - 1) + 1, conv.stride)
                for first, side in zip((row, column), sides, strict=True)
            )
            yield (row, column), (every, every, rows, columns)
