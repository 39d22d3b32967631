"""A card's model trained the plain way: PyTorch's own modules, losses and optimisers, one model at a time.

The other side of every claim about training side by side: that it ends at the same weights, and how much faster.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from mvc.zoo.cards import Card
from mvc.zoo.data import Dataset
from mvc.zoo.nets import dropped_units, generator, initial_weights, views

_ACTIVATIONS = {
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "gelu": nn.GELU,
}


class _Dropped(nn.Module):
    """Dropout of one place; what it lets pass is set from outside, from the batched trainer's stream."""

    mask = torch.ones(())

    def forward(self, x: Tensor) -> Tensor:
        return x * self.mask


def module_of(card: Card, weights: Tensor) -> nn.Sequential:
    """The card's network in PyTorch's layers, with ``weights`` (d,)."""
    architecture = card.architecture
    act = _ACTIVATIONS[architecture.activation]
    layers: list[nn.Module] = []
    channels = architecture.image[0]
    for conv in architecture.convs:
        layers += [nn.Conv2d(channels, conv.channels, conv.kernel, conv.stride, bias=architecture.bias)]
        layers += [nn.MaxPool2d(conv.pool), act(), _Dropped()] if conv.pool > 1 else [act()]
        channels = conv.channels
    layers.append(nn.Flatten())
    shapes = [shape for name, shape in architecture.shapes().items() if name.startswith("fc") and len(shape) == 2]
    for number, (out, inner) in enumerate(shapes):
        layers += [act(), _Dropped()] if number else []
        layers.append(nn.Linear(inner, out, bias=architecture.bias))
    module = nn.Sequential(*layers)
    with torch.no_grad():
        for parameter, view in zip(
            module.parameters(), views(weights[None], architecture.shapes()).values(), strict=True
        ):
            parameter.copy_(view[0])
    return module


def train_alone(
    card: Card, data: Dataset, seed: int, each: Callable[[nn.Module, Tensor], None] | None = None
) -> Tensor:
    """One model's weights (d,) after the card's epochs on all of ``data``. ``each`` is called with the module and the
    standardised training images (N, 1, H, W) before the first epoch and after each."""
    module = module_of(card, initial_weights(card, [seed])[0])
    optimiser = _optimiser(card, module)
    dropped = [layer for layer in module if isinstance(layer, _Dropped)]
    x, y = torch.tensor(data.x_train).unsqueeze(1), torch.tensor(data.y_train)
    if card.standardise:
        x = (x - data.moments[0]) / data.moments[1]
    for epoch in range(card.epochs):
        if each is not None:
            each(module, x)
        optimiser.param_groups[0]["lr"] = card.optimiser.lr * card.schedule.multiple(epoch, card.epochs)
        stream = generator(seed, "dropout", epoch)
        order = torch.randperm(len(x), generator=generator(seed, "order", epoch))
        for rows in torch.split(order, card.batch):
            if card.dropout:
                for place, shape in zip(dropped, dropped_units(card.architecture), strict=True):
                    kept = torch.rand(len(rows), *shape, generator=stream) >= card.dropout
                    place.mask = kept / (1 - card.dropout)
            loss = _loss(card, module(x[rows]), y[rows])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    for place in dropped:
        place.mask = torch.ones(())
    if each is not None:
        each(module, x)
    return torch.cat([parameter.detach().flatten() for parameter in module.parameters()])


def _optimiser(card: Card, module: nn.Module) -> torch.optim.Optimizer:
    given, parameters = card.optimiser, module.parameters()
    match given.kind:
        case "sgd":
            return torch.optim.SGD(parameters, given.lr, momentum=given.momentum, weight_decay=given.weight_decay)
        case "adam":
            return torch.optim.Adam(parameters, given.lr, given.betas, given.eps, weight_decay=given.weight_decay)
        case "adamw":
            return torch.optim.AdamW(parameters, given.lr, given.betas, given.eps, weight_decay=given.weight_decay)
        case "rmsprop":
            return torch.optim.RMSprop(parameters, given.lr, eps=given.eps, weight_decay=given.weight_decay)


def _loss(card: Card, outputs: Tensor, labels: Tensor) -> Tensor:
    if card.loss == "ce":
        return nn.functional.cross_entropy(outputs, labels)
    targets = torch.eye(card.architecture.classes)[labels]
    return nn.functional.mse_loss(outputs, targets, reduction="mean" if card.loss == "mse" else "sum")
