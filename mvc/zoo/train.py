"""Trains many models at once, in memory. Owns the training loop and the states that forks start from.

A model's path depends on its own card, seed, data and start alone, never on which others are trained beside it: its
initial weights, and each epoch's data order and dropout, come from random streams keyed by its seed. Touches no disk;
``runs`` does.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor

from mvc.errors import InputError
from mvc.zoo.cards import Card
from mvc.zoo.data import Dataset, Images, Labels
from mvc.zoo.evaluation import Evaluation, confusion, f1_scores
from mvc.zoo.nets import dropped_units, fetch, forward, generator, initial_weights, inputs, views
from mvc.zoo.optim import empty_slots, update
from mvc.zoo.shifts import subset

Progress = Callable[[str, int, int], None]  # what is trained, checkpoints done, checkpoints in all

_GATHERED = 1 << 20  # numbers of input fetched at once: few fetches, yet within a core's cache
_MULTIPLICATIONS = 400  # of one matrix product among many from which on PyTorch (2.x) hands them to BLAS
_EVALUATED = 10_000  # images; accuracy is known to ±.5 % from that many


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
    """Trained weights (S, K, d) at K checkpoints, with each one's epoch (K,), accuracies (S, K), F1 (S, K, classes).

    ``states`` holds, by checkpoint, what was asked to be kept for forks.
    """

    cards: tuple[Card, ...]
    seeds: tuple[int, ...]
    weights: Tensor
    epochs: tuple[float, ...]
    train_accuracy: Tensor
    test_accuracy: Tensor
    f1: Tensor
    states: Mapping[int, State] = field(default_factory=dict)

    @property
    def card(self) -> Card:
        """The first model's; all have its architecture."""
        return self.cards[0]


class Trainer:
    """S models in training. ``seeds`` key each model's data order, dropout and, without ``start``, its weights.

    ``card`` is one for all or one a model; those may differ in name, initialisation, learning rate, weight decay and
    dropout. ``data`` is one data set for all or one a model (equally many images); ``lr`` multiplies each model's
    learning rate; ``epochs`` (the card's unless given) is the length that the learning rate's schedule is laid over.
    """

    def __init__(
        self,
        card: Card | Sequence[Card],
        data: Dataset | Sequence[Dataset],
        seeds: Sequence[int],
        *,
        start: State | None = None,
        lr: Sequence[float] | None = None,
        epochs: int | None = None,
    ) -> None:
        sets = [data] * len(seeds) if isinstance(data, Dataset) else list(data)
        cards = [card] * len(seeds) if isinstance(card, Card) else list(card)
        lr = [1.0] * len(seeds) if lr is None else lr
        if not seeds or {len(cards), len(sets), len(lr)} != {len(seeds)}:
            raise InputError("seeds, cards, data sets and learning rates: one for each model, and at least one model")
        if len({one.shared() for one in set(cards)}) > 1:
            raise InputError("these cards' models cannot be trained side by side", hint="train them one after another")
        self.card = cards[0]
        if start is not None and start.weights.shape != (len(seeds), self.card.architecture.size):
            raise InputError(f"the start holds {tuple(start.weights.shape)} weights, the card needs {len(seeds)} rows")
        self.cards = tuple(cards)
        self.seeds = tuple(seeds)
        self.epochs = self.card.epochs if epochs is None else epochs
        self.part = start.part if start is not None else 0
        self._weights = start.weights.clone() if start is not None else initial_weights(cards, seeds)  # (S, d)
        self._slots = empty_slots(self.card.optimiser, self._weights)
        if start is not None:
            self._slots |= {name: slot.clone() for name, slot in start.slots.items()}
        self._leaves = {
            name: view.detach().requires_grad_()
            for name, view in views(self._weights, self.card.architecture.shapes()).items()
        }
        self._multiples = _column(lr)  # (S, 1)
        self._lr = _column([one.optimiser.lr for one in cards])  # (S, 1)
        decays = _column([one.optimiser.weight_decay for one in cards]).float()  # (S, 1)
        self._decay = decays if decays.any() else None
        self._dropout = _column([one.dropout for one in cards]).float()  # (S, 1)
        self._load(sets)

    def _load(self, sets: Sequence[Dataset]) -> None:
        if self.card.fraction < 1:
            parts = {one: subset(one, self.card.fraction) for one in dict.fromkeys(sets)}
            sets = [parts[one] for one in sets]
        unique = list(dict.fromkeys(sets))
        self._images = len(sets[0].x_train)
        if any(len(one.x_train) != self._images for one in sets):
            raise InputError("models trained side by side need equally many training images each")
        loaded = [self._prepare(one, one.x_train, one.y_train) for one in unique]
        self._x = torch.cat([x for x, _ in loaded])  # (N, …) over all distinct data sets
        self._y = torch.cat([y for _, y in loaded])  # (N,)
        self._targets = torch.eye(self.card.architecture.classes)[self._y]  # (N, classes)
        self._padding = _padding(self.card)
        if self._padding:  # an image of zeros that no training image's number names
            self._x, self._targets = (torch.cat([one, torch.zeros_like(one[:1])]) for one in (self._x, self._targets))
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
        lr = (self._multiples * (self._lr * self.card.schedule.multiple(epoch, self.epochs))).float()  # (S, 1)
        streams = {
            row: generator(seed, "dropout", self.part)
            for row, (card, seed) in enumerate(zip(self.cards, self.seeds, strict=True))
            if card.dropout
        }
        for x, targets in self._batches(order[:, first:last]):
            self._step(x, targets, lr, self._masks(x.shape[1] - self._padding, streams) if streams else [])
        self.part += 1

    def _masks(self, batch: int, streams: Mapping[int, torch.Generator]) -> list[Tensor]:
        """What dropout lets pass of a batch, scaled: (S, B, *shape) for each place, nothing of the padding. Every
        model draws by itself."""
        shapes = dropped_units(self.card.architecture)
        sizes = [batch * prod(shape) for shape in shapes]
        drawn = torch.ones(len(self.seeds), sum(sizes))  # 1: models that drop nothing draw nothing
        for row, stream in streams.items():
            drawn[row].uniform_(generator=stream)
        passed = (drawn >= self._dropout).float().div_(1 - self._dropout)  # (S, B·units)
        parts = zip(torch.split(passed, sizes, 1), shapes, strict=True)
        masks = [part.reshape(len(self.seeds), batch, *shape) for part, shape in parts]
        return [F.pad(mask, (0, 0) * (mask.dim() - 2) + (0, self._padding)) for mask in masks]

    def _batches(self, order: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches x (S, B, …), targets (S, B, classes) of image numbers ``order`` (S, n); the last may be smaller.

        Each is followed by the padding.
        """
        models, images = order.shape
        batch = self.card.batch
        whole = images // batch
        steps = order[:, : whole * batch].reshape(models, whole, batch).transpose(0, 1)  # (T, S, B)
        steps = F.pad(steps, (0, self._padding), value=len(self._y))
        at_once = max(1, _GATHERED // (models * batch * self._x[0].numel()))
        for chunk in torch.split(steps, at_once):
            yield from zip(fetch(self._x, chunk), fetch(self._targets, chunk), strict=True)
        if whole * batch < images:
            rest = F.pad(order[:, whole * batch :], (0, self._padding), value=len(self._y))
            yield fetch(self._x, rest), fetch(self._targets, rest)

    def _step(self, x: Tensor, targets: Tensor, lr: Tensor, masks: Sequence[Tensor]) -> None:
        outputs = forward(x, self._leaves, self.card.architecture, masks)  # (S, B, classes)
        with torch.no_grad():  # each loss's gradient in closed form: less work than the loss itself
            batch = targets.shape[1] - self._padding
            if self.card.loss == "ce":
                slope = _softmax(outputs).sub_(targets).div_(batch)
            else:
                entries = batch * targets.shape[2] if self.card.loss == "mse" else 1
                slope = (outputs - targets).mul_(2 / entries)
            slope[:, batch:] = 0
        parts = torch.autograd.grad(outputs, list(self._leaves.values()), slope)
        grads = torch.cat([part.flatten(1) for part in parts], 1)  # (S, d)
        update(self.card.optimiser, self._weights, grads, self._slots, lr=lr, decay=self._decay)

    def evaluate(self) -> Evaluation:
        """Each model on (at most 10,000 of) its own training images and of the test images, without dropout."""
        images = torch.arange(min(self._images, _EVALUATED))
        shared = not self._offsets.any()
        train = images.expand(len(self.seeds), -1) if shared else self._offsets.unsqueeze(1) + images  # (S, n)
        x, y = self._test
        order = torch.arange(len(x)).expand(len(self.seeds), -1)  # (S, n)
        seen = confusion(self._leaves, self.card.architecture, x, y, order)  # (S, classes, classes)
        test_accuracy = seen.diagonal(dim1=1, dim2=2).sum(1) / len(y)
        return Evaluation(self._accuracy(self._x, self._y, train), test_accuracy, f1_scores(seen))

    def accuracies(self) -> tuple[Tensor, Tensor]:
        """Accuracy on the training images and on the test images, (S,) each, as ``evaluate`` gives them."""
        found = self.evaluate()
        return found.train_accuracy, found.test_accuracy

    def _accuracy(self, x: Tensor, y: Tensor, order: Tensor) -> Tensor:
        seen = confusion(self._leaves, self.card.architecture, x, y, order)  # (S, classes, classes)
        return seen.diagonal(dim1=1, dim2=2).sum(1) / order.shape[1]


def _padding(card: Card) -> int:
    """How many images of zeros a batch is filled up with, whose gradient is left out.

    PyTorch multiplies batches of matrices many times as fast where a product takes 400 multiplications or more: to take
    some in vain is worth it, as long as they are fewer than those that count.
    """
    weights = prod(card.architecture.image) * [*card.architecture.hidden, card.architecture.classes][0]
    missing = -(-_MULTIPLICATIONS // weights) - card.batch
    return missing if not card.architecture.convs and 0 < missing < card.batch else 0


def _softmax(outputs: Tensor) -> Tensor:
    """Over the last of (S, B, classes); for few classes several times as fast as PyTorch's own."""
    powers = (outputs - outputs.amax(-1, keepdim=True)).exp_()
    return powers.div_(powers.sum(-1, keepdim=True))


def _column(numbers: Sequence[float]) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float64).unsqueeze(1)  # (S, 1)


def train_population(
    trainer: Trainer, epochs: int | None = None, *, keep: Collection[int] = (), progress: Progress | None = None
) -> Population:
    """Trains on for ``epochs`` (the trainer's length unless given) and returns every checkpoint, the start included.

    ``keep`` names checkpoints (from 0, the start) whose states forks will need.
    """
    card = trainer.card
    parts = (trainer.epochs if epochs is None else epochs) * card.checkpoints_per_epoch
    total = parts // card.checkpoint_every
    weights, times, found, states = [], [], [], {}
    for number in range(total + 1):
        if number:
            for _ in range(card.checkpoint_every):
                trainer.advance()
        weights.append(trainer.weights)
        times.append(trainer.part / card.checkpoints_per_epoch)
        found.append(trainer.evaluate())
        if number in keep:
            states[number] = trainer.state()
        if progress is not None:
            progress(card.name, number, total)
    return Population(
        trainer.cards,
        trainer.seeds,
        torch.stack(weights, 1),
        tuple(times),
        torch.stack([one.train_accuracy for one in found], 1),
        torch.stack([one.test_accuracy for one in found], 1),
        torch.stack([one.f1 for one in found], 1),
        states,
    )
