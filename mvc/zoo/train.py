"""Trains all models of a card at once, in memory. Owns the training loop and the states that forks start from.

A model's path depends on its own seed, data and start alone, never on which others are trained beside it: its initial
weights and every epoch's data order come from random streams keyed by its seed. Touches no disk; ``runs`` does.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from mvc.errors import InputError
from mvc.zoo.cards import Card
from mvc.zoo.data import Dataset, Images, Labels
from mvc.zoo.nets import forward, generator, initial_weights, inputs, views
from mvc.zoo.optim import empty_slots, update

Progress = Callable[[str, int, int], None]  # what is trained, checkpoints done, checkpoints in all

_GATHERED = 1 << 20  # numbers of input fetched at once: few fetches, yet within a core's cache
_EVALUATED = 10_000  # images; accuracy is known to ±.5 % from that many
_EVALUATED_AT_ONCE = 250


@dataclass(frozen=True, eq=False)
class State:
    """Where S models stand: weights (S, d), optimiser slots (S, …), and the part of training they are about to do.

    A part is an epoch, or the share of one between two checkpoints where a card has several an epoch.
    """

    weights: Tensor
    slots: Mapping[str, Tensor]
    part: int

    def of(self, rows: Sequence[int], *, fresh: bool = False) -> State:
        """A copy for some of the models, repeats allowed; ``fresh`` forgets the optimiser's state."""
        index = torch.tensor(list(rows))
        slots = {} if fresh else {name: slot[index].clone() for name, slot in self.slots.items()}
        return State(self.weights[index].clone(), slots, self.part)


@dataclass(frozen=True, eq=False)
class Population:
    """Trained weights (S, K, d) at K checkpoints, with each one's epoch (K,) and accuracies (S, K).

    ``states`` holds, by checkpoint, what was asked to be kept for forks.
    """

    card: Card
    seeds: tuple[int, ...]
    weights: Tensor
    epochs: tuple[float, ...]
    train_accuracy: Tensor
    test_accuracy: Tensor
    states: Mapping[int, State] = field(default_factory=dict)


class Trainer:
    """S models of one card in training. ``seeds`` key each model's data order and, without ``start``, its weights.

    ``data`` is one data set for all or one a model (equally many images); ``lr`` multiplies each model's learning
    rate; ``epochs`` (the card's unless given) is the length that the learning rate's schedule is laid over.
    """

    def __init__(
        self,
        card: Card,
        data: Dataset | Sequence[Dataset],
        seeds: Sequence[int],
        *,
        start: State | None = None,
        lr: Sequence[float] | None = None,
        epochs: int | None = None,
    ) -> None:
        sets = [data] * len(seeds) if isinstance(data, Dataset) else list(data)
        if not seeds or len(sets) != len(seeds) or (lr is not None and len(lr) != len(seeds)):
            raise InputError("seeds, data sets and learning rates: one for each model, and at least one model")
        if start is not None and start.weights.shape != (len(seeds), card.architecture.size):
            raise InputError(f"the start holds {tuple(start.weights.shape)} weights, the card needs {len(seeds)} rows")
        self.card = card
        self.seeds = tuple(seeds)
        self.epochs = card.epochs if epochs is None else epochs
        self.part = start.part if start is not None else 0
        self._weights = start.weights.clone() if start is not None else initial_weights(card, seeds)  # (S, d)
        self._slots = empty_slots(card.optimiser, self._weights)
        if start is not None:
            self._slots |= {name: slot.clone() for name, slot in start.slots.items()}
        self._leaves = {
            name: view.detach().requires_grad_() for name, view in views(self._weights, card.architecture).items()
        }
        self._lr = torch.tensor(lr or [1.0] * len(seeds), dtype=torch.float64).unsqueeze(1)  # (S, 1)
        self._load(sets)

    def _load(self, sets: Sequence[Dataset]) -> None:
        unique = list(dict.fromkeys(sets))
        self._images = len(sets[0].x_train)
        if any(len(one.x_train) != self._images for one in sets):
            raise InputError("models trained side by side need equally many training images each")
        loaded = [self._prepare(one, one.x_train, one.y_train) for one in unique]
        self._x = torch.cat([x for x, _ in loaded])  # (N, …) over all distinct data sets
        self._y = torch.cat([y for _, y in loaded])  # (N,)
        self._targets = torch.eye(self.card.architecture.classes)[self._y]  # (N, classes)
        self._offsets = torch.tensor([unique.index(one) * self._images for one in sets])  # (S,)
        self._test = self._prepare(sets[0], sets[0].x_test[:_EVALUATED], sets[0].y_test[:_EVALUATED])

    def _prepare(self, data: Dataset, images: Images, labels: Labels) -> tuple[Tensor, Tensor]:
        architecture = self.card.architecture
        if (1, *images.shape[1:]) != architecture.image or labels.max() >= architecture.classes:
            raise InputError(
                f"card {self.card.name} takes images of {architecture.image} in {architecture.classes} classes, "
                f"the data has {images.shape[1:]} and labels to {labels.max()}"
            )
        mean, deviation = data.moments if self.card.standardise else (0.0, 1.0)
        x = (torch.tensor(images).unsqueeze(1) - mean) / deviation  # (N, 1, H, W)
        return inputs(x, architecture), torch.tensor(labels)

    @property
    def weights(self) -> Tensor:
        """A copy of the weights as they are now, (S, d)."""
        return self._weights.clone()

    def state(self) -> State:
        """A copy of where all models stand."""
        return State(self.weights, {name: slot.clone() for name, slot in self._slots.items()}, self.part)

    def advance(self) -> None:
        """Trains one part: an epoch, or the share of it up to the next checkpoint."""
        per_epoch = self.card.checkpoints_per_epoch
        epoch, part = divmod(self.part, per_epoch)
        order = torch.stack([torch.randperm(self._images, generator=generator(s, "order", epoch)) for s in self.seeds])
        order += self._offsets.unsqueeze(1)  # (S, n)
        steps = -(-self._images // self.card.batch)
        first, last = (steps * share // per_epoch * self.card.batch for share in (part, part + 1))
        multiple = self.card.optimiser.lr * self.card.schedule.multiple(epoch, self.epochs)
        lr = (self._lr * multiple).float()  # (S, 1)
        for x, targets in self._batches(order[:, first:last]):
            self._step(x, targets, lr)
        self.part += 1

    def _batches(self, order: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches x (S, B, …), targets (S, B, classes) of image numbers ``order`` (S, n); the last may be smaller."""
        models, images = order.shape
        batch = self.card.batch
        whole = images // batch
        steps = order[:, : whole * batch].reshape(models, whole, batch).transpose(0, 1)  # (T, S, B)
        at_once = max(1, _GATHERED // (models * batch * self._x[0].numel()))
        for chunk in torch.split(steps, at_once):
            yield from zip(_rows(self._x, chunk), _rows(self._targets, chunk), strict=True)
        if whole * batch < images:
            rest = order[:, whole * batch :]
            yield _rows(self._x, rest), _rows(self._targets, rest)

    def _step(self, x: Tensor, targets: Tensor, lr: Tensor) -> None:
        outputs = forward(x, self._leaves, self.card.architecture)  # (S, B, classes)
        with torch.no_grad():  # each loss's gradient in closed form: less work than the loss itself
            if self.card.loss == "ce":
                slope = outputs.softmax(-1).sub_(targets).div_(targets.shape[1])
            else:
                entries = targets.shape[1] * targets.shape[2] if self.card.loss == "mse" else 1
                slope = (outputs - targets).mul_(2 / entries)
        parts = torch.autograd.grad(outputs, list(self._leaves.values()), slope)
        grads = torch.cat([part.flatten(1) for part in parts], 1)  # (S, d)
        update(self.card.optimiser, self._weights, grads, self._slots, lr)

    def accuracies(self) -> tuple[Tensor, Tensor]:
        """Accuracy of each model on (at most 10,000 of) its own training images and on the test images, (S,) each."""
        images = min(self._images, _EVALUATED)
        train = self._offsets.unsqueeze(1) + torch.arange(images)  # (S, n)
        test = torch.arange(len(self._test[0])).expand(len(self.seeds), -1)  # (S, n)
        return self._accuracy(self._x, self._y, train), self._accuracy(*self._test, test)

    @torch.no_grad()
    def _accuracy(self, x: Tensor, y: Tensor, order: Tensor) -> Tensor:
        right = torch.zeros(len(order), dtype=torch.int64)
        for chunk in torch.split(order, _EVALUATED_AT_ONCE, 1):
            outputs = forward(_rows(x, chunk), self._leaves, self.card.architecture)  # (S, B, classes)
            right += (outputs.argmax(-1) == y[chunk]).sum(1)
        return right / order.shape[1]


def _rows(table: Tensor, numbers: Tensor) -> Tensor:
    """(N, …) by numbers (…) → (…, …); index_select copies whole rows, several times faster than indexing does."""
    return table.index_select(0, numbers.flatten()).view(*numbers.shape, *table.shape[1:])


def train_population(
    trainer: Trainer, epochs: int | None = None, *, keep: Collection[int] = (), progress: Progress | None = None
) -> Population:
    """Trains on for ``epochs`` (the trainer's length unless given) and returns every checkpoint, the start included.

    ``keep`` names checkpoints (from 0, the start) whose states forks will need.
    """
    card = trainer.card
    parts = (trainer.epochs if epochs is None else epochs) * card.checkpoints_per_epoch
    total = parts // card.checkpoint_every
    weights, times, train, test, states = [], [], [], [], {}
    for number in range(total + 1):
        if number:
            for _ in range(card.checkpoint_every):
                trainer.advance()
        weights.append(trainer.weights)
        times.append(trainer.part / card.checkpoints_per_epoch)
        on_train, on_test = trainer.accuracies()
        train.append(on_train)
        test.append(on_test)
        if number in keep:
            states[number] = trainer.state()
        if progress is not None:
            progress(card.name, number, total)
    return Population(
        card, trainer.seeds, torch.stack(weights, 1), tuple(times), torch.stack(train, 1), torch.stack(test, 1), states
    )
