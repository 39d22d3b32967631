"""Learns an embedder from the weights of models, without labels. Owns the training loop and its states; touches no
disk: states are handed to the caller.

Every step draws its samples, views and dropout from a random stream keyed by the seed and the step's number, so that a
training that goes on from a state ends at the same weights as one that was never interrupted. Only a limit in minutes
makes the learning rate, and so the result, depend on the clock.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from mvc.embedding.augment import Permuter, view
from mvc.embedding.embedder import Embedder, Network, empty_network
from mvc.embedding.losses import closeness, nt_xent, reconstruction
from mvc.embedding.model import ProjectionHead
from mvc.embedding.packing import check, pack, unpack
from mvc.embedding.recipes import Recipe
from mvc.embedding.tokens import Layout, layout
from mvc.errors import FormatError, InputError
from mvc.geometry.permutations import Shapes

_WHAT, _VERSION = "state of an embedder's training", 1
#: reports and probes during a training; states are handed out with them, and after so many seconds without
_REPORTS, _UNKEPT = 20, 60.0
#: weights that a batch holds at most, unless these would be too few models
_LARGEST, _FEWEST = 1 << 26, 8
#: the learning rate rises for this share of the training and then falls along a cosine (Smith & Topin 2019)
_RISING = 0.3


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a training stands. ``share`` of it is done; ``losses`` are means since the last report, by name;
    ``validation`` the same on models that are not trained on; ``scores`` whatever the probe says of the embedder.
    """

    step: int
    steps: int
    share: float
    seconds: float
    losses: Mapping[str, float]
    validation: Mapping[str, float] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)


class Learner(nn.Module):
    """The embedder's network and, where the loss contrasts, the projection head: views in, losses out."""

    def __init__(self, recipe: Recipe, of: Layout) -> None:
        super().__init__()
        self.recipe = recipe
        self.network = Network(recipe, of)
        self.projection = ProjectionHead(recipe) if recipe.contrasts else None
        self.permuter = Permuter(of)

    def forward(self, weights: Tensor) -> dict[str, Tensor]:
        """Losses of random views of standardised weights (B, d); ``loss`` is what is minimised."""
        recipe = self.recipe
        count = len(weights)
        views = [view(weights, recipe, self.permuter) for _ in range(2 if recipe.contrasts else 1)]
        seen, whole = (torch.cat(parts) for parts in zip(*views, strict=True))  # (views · B, d) each
        losses = {}
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.precision == "bfloat16"):
            latent = self.network.encoder(seen)  # (views · B, L)
            if self.projection is not None:
                first, second = self.projection(latent).split(count)  # (B, p) each
            if self.network.decoder is not None:
                rebuilt = self.network.decoder(latent)  # (views · B, d)
        if self.projection is not None:
            losses["contrast"] = (
                closeness(first, second) if recipe.loss == "E_c+D" else nt_xent(first, second, recipe.temperature)
            )
        if self.network.decoder is not None:
            losses["reconstruction"] = reconstruction(rebuilt, whole)
        if len(losses) == 2:
            return losses | {"loss": recipe.gamma * losses["contrast"] + (1 - recipe.gamma) * losses["reconstruction"]}
        return losses | {"loss": next(iter(losses.values()))}


def train(
    weights: npt.ArrayLike,
    shapes: Shapes,
    recipe: Recipe,
    *,
    validation: npt.ArrayLike | None = None,
    minutes: float | None = None,
    start: bytes | None = None,
    keep: Callable[[bytes], None] | None = None,
    progress: Callable[[Progress], None] | None = None,
    probe: Callable[[Embedder], Mapping[str, float]] | None = None,
) -> Embedder:
    """An embedder of models ``weights`` [M, K, d], K checkpoints of each, flattened in the order of ``shapes``.

    ``validation`` [V, K, d]: models that only losses are measured on. ``minutes``: the training is over then, if not
    before; the schedule of the learning rate is laid over them. ``keep`` is handed states that ``start`` goes on from.
    ``probe`` scores the embedder as it is now and then. Raises InputError for weights that do not fit, FormatError for
    a damaged state.
    """
    of = layout(shapes)
    data = _checked(weights, of)
    unseen = None if validation is None else _checked(validation, of)
    with torch.random.fork_rng(devices=[]):
        run = _Run(recipe, of, data, minutes)
        if start is not None:
            run.resume(start)
        kept = run.seconds
        while not run.done:
            run.step()
            report = run.report(unseen, probe) if run.due else None
            if keep is not None and (report is not None or run.seconds - kept > _UNKEPT):
                keep(run.state())
                kept = run.seconds
            if progress is not None and report is not None:
                progress(report)
        return run.embedder()


class _Run:
    """One training, step by step."""

    def __init__(self, recipe: Recipe, of: Layout, data: Tensor, minutes: float | None) -> None:
        self.recipe, self.layout, self.data = recipe, of, data
        self.limit = math.inf if minutes is None else 60 * minutes
        models, checkpoints, _ = data.shape
        samples = min(recipe.batch, max(_FEWEST, _LARGEST // of.size))
        self.models = min(models, max(2, samples // recipe.per_model))  # in a batch
        self.checkpoints = min(checkpoints, max(1, samples // self.models))  # of each of them
        self.steps = math.ceil(recipe.epochs * models * checkpoints / (self.models * self.checkpoints))
        self.taken, self.seconds, self.reported = 0, 0.0, 0
        self.sums: dict[str, float] = {}
        self.since = 0
        torch.manual_seed(_seed(recipe.seed, "init"))
        self.learner = Learner(recipe, of)
        self.learner.network.fit(data.flatten(0, 1))
        self.optimiser = torch.optim.Adam(self.learner.parameters(), recipe.lr, weight_decay=recipe.weight_decay)

    @property
    def share(self) -> float:
        """Of the training that is done: steps or time, whichever is further."""
        return min(1.0, max(self.taken / max(self.steps, 1), self.seconds / self.limit))

    @property
    def done(self) -> bool:
        return self.taken >= self.steps or self.seconds >= self.limit

    @property
    def due(self) -> bool:
        return self.done or int(self.share * _REPORTS) > self.reported

    def step(self) -> None:
        began = time.monotonic()
        torch.manual_seed(_seed(self.recipe.seed, self.taken))
        batch = self._draw(self.data)
        self.learner.train()
        losses = self.learner(batch)
        self.optimiser.zero_grad()
        losses["loss"].backward()
        for group in self.optimiser.param_groups:
            group["lr"] = self.recipe.lr * _multiple(self.recipe, self.share)
        self.optimiser.step()
        self.taken += 1
        self.since += 1
        for name, loss in losses.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(loss.detach())
        self.seconds += time.monotonic() - began

    def _draw(self, data: Tensor) -> Tensor:
        """Random checkpoints of random models (M, K, d), standardised: (B, d)."""
        models, checkpoints, _ = data.shape
        rows = torch.randperm(models)[: self.models]
        columns = torch.rand(len(rows), checkpoints).argsort(1)[:, : self.checkpoints]  # (models, checkpoints)
        drawn: Tensor = self.learner.network.scaling(data[rows.unsqueeze(1), columns].flatten(0, 1))
        return drawn

    def report(self, unseen: Tensor | None, probe: Callable[[Embedder], Mapping[str, float]] | None) -> Progress:
        losses = {name: total / self.since for name, total in self.sums.items()}
        self.sums, self.since, self.reported = {}, 0, int(self.share * _REPORTS)
        self.learner.eval()
        validation: dict[str, float] = {}
        if unseen is not None:
            torch.manual_seed(_seed(self.recipe.seed, "validation"))
            with torch.no_grad():
                measured = self.learner(self._draw(unseen))
            validation = {name: float(loss) for name, loss in measured.items()}
        scores = {} if probe is None else dict(probe(self.embedder()))
        return Progress(self.taken, self.steps, self.share, self.seconds, losses, validation, scores)

    def embedder(self) -> Embedder:
        """As it is now; later steps do not change it."""
        network = empty_network(self.recipe, self.layout)
        learned = {name: one.clone() for name, one in self.learner.network.state_dict().items()}
        network.load_state_dict(learned, assign=True)
        models, checkpoints, _ = self.data.shape
        facts = {"models": models, "checkpoints": checkpoints, "steps": self.taken}
        return Embedder(self.layout.shapes, self.recipe, network, facts)

    def state(self) -> bytes:
        tensors = {f"learner.{name}": one for name, one in self.learner.state_dict().items()}
        names = [name for name, _ in self.learner.named_parameters()]
        for number, slots in self.optimiser.state_dict()["state"].items():
            tensors |= {f"{slot}.{names[number]}": one for slot, one in slots.items()}
        return pack(tensors, self._identity() | {"taken": self.taken, "seconds": self.seconds})

    def resume(self, raw: bytes) -> None:
        tensors, facts = unpack(raw, _WHAT, _VERSION)
        for name, wanted in self._identity().items():
            if facts.get(name) != wanted:
                raise InputError(
                    f"this training began with another {name}", hint="start anew, or go on with what it began with"
                )
        taken, seconds = facts.get("taken"), facts.get("seconds")
        if type(taken) is not int or type(seconds) is not float or taken < 1 or seconds < 0:
            raise FormatError(f"this {_WHAT} is damaged: it does not say how far it was")
        parts: dict[str, dict[str, Tensor]] = {"learner": {}, "step": {}, "exp_avg": {}, "exp_avg_sq": {}}
        for name, one in tensors.items():
            slot, _, rest = name.partition(".")
            parts.setdefault(slot, {})[rest] = one
        check(self.learner, parts["learner"], _WHAT)
        self.learner.load_state_dict(parts["learner"])
        slots: dict[int, dict[str, Tensor]] = {}
        for number, (name, parameter) in enumerate(self.learner.named_parameters()):
            wanted = {"step": torch.Size(), "exp_avg": parameter.shape, "exp_avg_sq": parameter.shape}
            slots[number] = {slot: parts[slot][name] for slot in wanted if name in parts[slot]}
            if {slot: value.shape for slot, value in slots[number].items()} != wanted:
                raise FormatError(f"this {_WHAT} is damaged: the optimiser's {name} does not fit")
        self.optimiser.load_state_dict(self.optimiser.state_dict() | {"state": slots})
        self.taken, self.seconds = taken, seconds
        self.reported = int(self.share * _REPORTS)

    def _identity(self) -> dict[str, Any]:
        """What a state belongs to."""
        return {
            "kind": _WHAT,
            "version": _VERSION,
            "recipe": self.recipe.to_json(),
            "shapes": [[name, list(shape)] for name, shape in self.layout.shapes.items()],
            "data": hashlib.blake2b(self.data.numpy().tobytes(), digest_size=16).hexdigest(),
        }


def _multiple(recipe: Recipe, share: float) -> float:
    """The learning rate as a multiple of the recipe's, at a share of the training."""
    if recipe.schedule == "constant":
        return 1.0
    if share < _RISING:
        return 0.04 + 0.96 * 0.5 * (1 - math.cos(math.pi * share / _RISING))
    return 0.5 * (1 + math.cos(math.pi * (share - _RISING) / (1 - _RISING)))


def _seed(*key: object) -> int:
    digest = hashlib.blake2b("/".join(map(str, key)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def _checked(weights: npt.ArrayLike, of: Layout) -> Tensor:
    data = np.ascontiguousarray(weights, np.float32)
    if data.ndim != 3 or data.shape[2] != of.size or data.shape[0] * data.shape[1] < 2:
        raise InputError(
            f"embedders are trained on [models, checkpoints, {of.size}] weights, two checkpoints at least, "
            f"not on {list(data.shape)}"
        )
    if not np.isfinite(data).all():
        raise InputError("some of the models have weights that are not finite", hint="leave them out of the training")
    return torch.from_numpy(data)
