"""Optimisers over a whole population P (S, d) at once: SGD with momentum, Adam, AdamW, RMSprop, as PyTorch has them.

Owns the update rules and their state. Knows neither data nor architecture. Learning rates and weight decays are (S, 1):
one a model.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mvc.zoo.cards import Optimiser

RMSPROP_ALPHA = 0.99  # PyTorch's default


def empty_slots(optimiser: Optimiser, weights: Tensor) -> dict[str, Tensor]:
    """Fresh optimiser state for weights (S, d): each slot is (S, d), Adam's step count is (S, 1)."""
    if optimiser.kind == "sgd":
        return {"momentum": torch.zeros_like(weights)} if optimiser.momentum else {}
    if optimiser.kind == "rmsprop":
        return {"second": torch.zeros_like(weights)}
    return {
        "first": torch.zeros_like(weights),
        "second": torch.zeros_like(weights),
        "steps": torch.zeros(len(weights), 1, dtype=torch.float64),
    }


@torch.no_grad()
def update(
    optimiser: Optimiser,
    weights: Tensor,
    grads: Tensor,
    slots: dict[str, Tensor],
    *,
    lr: Tensor,
    decay: Tensor | None,
) -> None:
    """One step in place: weights and grads (S, d), lr and decay (S, 1), no decay at all where it is None.

    Both take the place of the optimiser's own. ``grads`` is used as scratch.
    """
    if decay is not None and optimiser.kind == "adamw":
        weights.mul_(1 - lr * decay)
    elif decay is not None:
        grads.addcmul_(weights, decay)
    if optimiser.kind == "sgd":
        if optimiser.momentum:
            grads = slots["momentum"].mul_(optimiser.momentum).add_(grads)
        weights.addcmul_(grads, lr, value=-1)
        return
    if optimiser.kind == "rmsprop":
        second = slots["second"].mul_(RMSPROP_ALPHA).addcmul_(grads, grads, value=1 - RMSPROP_ALPHA)
        weights.addcdiv_(grads * lr, second.sqrt().add_(optimiser.eps), value=-1)
        return
    beta1, beta2 = optimiser.betas
    steps = slots["steps"].add_(1)  # (S, 1): forked models may have made different numbers of steps
    first = slots["first"].lerp_(grads, 1 - beta1)
    second = slots["second"].mul_(beta2).addcmul_(grads, grads, value=1 - beta2)
    scale = (1 - beta2**steps).sqrt().float()
    size = (lr / (1 - beta1**steps)).float()
    weights.addcdiv_(first * size, (second.sqrt() / scale).add_(optimiser.eps), value=-1)
