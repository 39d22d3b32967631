"""How well many models do, counted image by image. Owns accuracy and F1; no model is changed here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from mvc.zoo.cards import Architecture
from mvc.zoo.nets import fetch, forward

_AT_ONCE = 1 << 20  # numbers that one layer is fed, within a core's cache


@dataclass(frozen=True, eq=False)
class Evaluation:
    """How S models do: accuracy on training and test images (S,), and on the latter the F1 of every class (S, classes).

    F1 is 2·hits / (images of the class + predictions of it), 0 where there are neither.
    """

    train_accuracy: Tensor
    test_accuracy: Tensor
    f1: Tensor


@torch.no_grad()
def confusion(weights: Mapping[str, Tensor], architecture: Architecture, x: Tensor, y: Tensor, order: Tensor) -> Tensor:
    """(S, classes, classes): of the images number ``order`` (S, n), how many of a class are taken for which.

    ``x`` (N, …) are `nets.inputs`, ``y`` (N,) their labels. An ``order`` that is expanded, the same for all models, is
    the fastest.
    """
    models, classes = len(order), architecture.classes
    first = torch.arange(models, dtype=torch.int32).unsqueeze(1) * classes**2  # (S, 1)
    y = (y * classes).int()  # (N,)
    seen = torch.zeros(models * classes**2, dtype=torch.int64)
    for chunk in torch.split(order, max(1, _AT_ONCE // (models * architecture.widest)), 1):
        rows = chunk[:1] if order.stride(0) == 0 else chunk  # the same images for all: not copied for each model
        batch = fetch(x, rows).expand(models, *chunk.shape[1:], *x.shape[1:])
        found = _best(forward(batch, weights, architecture))  # (S, B)
        seen += torch.bincount((first + y[rows] + found).flatten(), minlength=len(seen))
    return seen.view(models, classes, classes)


def f1_scores(seen: Tensor) -> Tensor:
    """F1 of each class, (S, classes), from confusions (S, classes, classes)."""
    return 2 * seen.diagonal(dim1=1, dim2=2) / (seen.sum(1) + seen.sum(2)).clamp(min=1)


def _best(outputs: Tensor) -> Tensor:
    """Of (S, B, classes) the class of the largest output, the first of equals. PyTorch's argmax is many times slower
    where classes are few and, as here, apart in memory."""
    best = outputs[..., 0]
    small = torch.uint8 if outputs.shape[-1] <= 256 else torch.int32
    found = torch.zeros(best.shape, dtype=small)
    for number in range(1, outputs.shape[-1]):
        better = (outputs[..., number] > best).to(small).mul_(number)
        found = torch.maximum(found, better)  # numbers grow: the last one that was better is the largest
        best = torch.maximum(best, outputs[..., number])
    return found.int()
