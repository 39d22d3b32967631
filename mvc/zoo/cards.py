"""What a model is before it is trained: architecture, optimiser and schedule as frozen values.

Owns every hyperparameter, its validation and the names of the weights. Refuses to train, to read data and to import
torch: the command line lists cards.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal, get_args

from mvc.errors import InputError

Activation = Literal["sigmoid", "tanh", "relu", "leaky_relu", "gelu"]
Init = Literal["kaiming_normal", "kaiming_uniform", "xavier_normal", "xavier_uniform", "normal", "uniform"]
Kind = Literal["sgd", "adam", "adamw", "rmsprop"]
Shape = Literal["constant", "cosine", "warm-restarts", "step", "growing"]
Loss = Literal["mse", "mse-sum", "ce"]
Source = Literal["images", "tetris"]


def _one_of(what: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InputError(f"{what} {value!r} is unknown", hint=f"one of: {', '.join(allowed)}")


@dataclass(frozen=True, slots=True)
class Conv:
    """An unpadded convolution, then max-pooling by ``pool`` (1: none), then the activation."""

    channels: int
    kernel: int
    stride: int = 1
    pool: int = 1


@dataclass(frozen=True, slots=True)
class Architecture:
    """Convolutions, then fully connected layers; weights are named and shaped as PyTorch's own modules would be."""

    hidden: tuple[int, ...]
    activation: Activation
    convs: tuple[Conv, ...] = ()
    bias: bool = True
    image: tuple[int, int, int] = (1, 14, 14)  # channels, height, width
    classes: int = 10

    def __post_init__(self) -> None:
        _one_of("activation", self.activation, get_args(Activation))
        if min((*self.image, *self.hidden, self.classes)) < 1:
            raise InputError("an architecture needs at least one unit in every layer")
        self.planes()  # refuses images that the convolutions shrink to nothing

    def planes(self) -> list[tuple[Conv, tuple[int, int], tuple[int, int]]]:
        """Every convolution with height and width of what it gives, before pooling and after. Raises InputError."""
        found = []
        sides = self.image[1:]
        for number, conv in enumerate(self.convs, 1):
            height, width = ((side - conv.kernel) // conv.stride + 1 for side in sides)
            sides = height // conv.pool, width // conv.pool
            if min(sides) < 1:
                raise InputError(f"conv{number} leaves nothing of an image of {self.image[1]}×{self.image[2]}")
            found.append((conv, (height, width), sides))
        return found

    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """name → shape of every weight, in file order."""
        shapes: dict[str, tuple[int, ...]] = {}
        units = math.prod(self.image)
        channels = self.image[0]
        for number, (conv, _, sides) in enumerate(self.planes(), 1):
            shapes[f"conv{number}.weight"] = (conv.channels, channels, conv.kernel, conv.kernel)
            if self.bias:
                shapes[f"conv{number}.bias"] = (conv.channels,)
            channels = conv.channels
            units = channels * math.prod(sides)
        for number, width_out in enumerate((*self.hidden, self.classes), 1):
            shapes[f"fc{number}.weight"] = (width_out, units)
            if self.bias:
                shapes[f"fc{number}.bias"] = (width_out,)
            units = width_out
        return MappingProxyType(shapes)

    @property
    def widest(self) -> int:
        """The most numbers that a layer is fed for one image; a convolution is fed patches."""
        fed = {name: math.prod(shape[1:]) for name, shape in self.shapes().items() if name.endswith(".weight")}
        places = {f"conv{number}.weight": math.prod(sides) for number, (_, sides, _) in enumerate(self.planes(), 1)}
        return max(count * places.get(name, 1) for name, count in fed.items())

    @property
    def size(self) -> int:
        """Number of weights, d."""
        return sum(math.prod(shape) for shape in self.shapes().values())


@dataclass(frozen=True, slots=True)
class Schedule:
    """Learning rate as a multiple of the card's, by epoch.

    ``cosine`` falls to 0 over the run; ``warm-restarts`` falls to 0 every ``period`` epochs; ``step`` multiplies by
    ``factor`` every ``period`` epochs; ``growing`` rises geometrically to ``factor`` times at the run's end.
    """

    shape: Shape = "constant"
    period: int = 10
    factor: float = 0.3

    def __post_init__(self) -> None:
        _one_of("schedule", self.shape, get_args(Shape))
        if self.period < 1 or not self.factor > 0:
            raise InputError("a schedule's period and factor are positive")

    def multiple(self, epoch: int, epochs: int) -> float:
        """The learning rate's multiple in ``epoch`` (from 0) of a run of ``epochs``."""
        if self.shape == "cosine":
            return 0.5 * (1 + math.cos(math.pi * epoch / max(epochs, 1)))
        if self.shape == "warm-restarts":
            return 0.5 * (1 + math.cos(math.pi * (epoch % self.period) / self.period))
        if self.shape == "step":
            return float(self.factor ** (epoch // self.period))
        if self.shape == "growing":
            return float(self.factor ** (epoch / max(epochs - 1, 1)))
        return 1.0


@dataclass(frozen=True, slots=True)
class Optimiser:
    """AdamW takes weight decay apart from the gradient, the others as ℓ2 in it, as PyTorch's do."""

    kind: Kind
    lr: float
    momentum: float = 0.0  # of SGD
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8

    def __post_init__(self) -> None:
        _one_of("optimiser", self.kind, get_args(Kind))
        if not self.lr > 0:
            raise InputError("a learning rate is positive")
        if not self.weight_decay >= 0:
            raise InputError("a weight decay is not negative")


@dataclass(frozen=True, slots=True)
class Card:
    """One model's recipe: everything but the images and the seed. As a population: ``seeds`` such models.

    Dropout follows the activation of every pooling convolution and every hidden layer. ``fraction`` is the share of the
    training images that are used, the same ones for every model. ``data`` says whether the images are the caller's or
    mvc's own (``tetris``). Biases begin at ``initial_bias``, or, where it is None, in U(±1/√fan_in) as PyTorch's do.
    """

    name: str
    about: str
    architecture: Architecture
    optimiser: Optimiser
    batch: int
    epochs: int
    seeds: int
    loss: Loss = "mse"  # mse: mean over batch and classes, on one-hot targets; mse-sum: their sum; ce: cross-entropy
    init: Init = "kaiming_normal"
    standardise: bool = True  # inputs to mean 0 and deviation 1 over the data set before any shift; else in 0..1
    schedule: Schedule = field(default_factory=Schedule)
    checkpoint_every: int = 1  # epochs between checkpoints
    checkpoints_per_epoch: int = 1  # > 1: checkpoints inside each epoch as well
    dropout: float = 0.0
    fraction: float = 1.0
    data: Source = "images"
    initial_bias: float | None = None

    def __post_init__(self) -> None:
        _one_of("loss", self.loss, get_args(Loss))
        _one_of("initialisation", self.init, get_args(Init))
        _one_of("data", self.data, get_args(Source))
        if not (0 <= self.dropout < 1 and 0 < self.fraction <= 1):
            raise InputError(f"card {self.name}: dropout is below 1, and a share of the images above 0")
        if min(self.batch, self.seeds, self.checkpoint_every, self.checkpoints_per_epoch) < 1 or self.epochs < 0:
            raise InputError(f"card {self.name}: batch, seeds, epochs and checkpoint intervals are positive")
        if self.checkpoint_every > 1 and self.checkpoints_per_epoch > 1:
            raise InputError(f"card {self.name}: checkpoints are either every few epochs or several an epoch")

    def shared(self) -> Card:
        """What models must have in common to be trained side by side: all but initialisation, rates and dropout."""
        optimiser = replace(self.optimiser, lr=1.0, weight_decay=0.0)
        free: dict[str, Any] = {"name": "", "about": "", "seeds": 1, "init": "normal", "initial_bias": None}
        return replace(self, optimiser=optimiser, dropout=0.0, **free)

    def to_plain(self) -> dict[str, Any]:
        """As JSON takes it; ``from_plain`` reads it."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Card:
        """Raises InputError (a value that no card has), KeyError or TypeError (no card at all)."""
        architecture, optimiser = dict(plain["architecture"]), dict(plain["optimiser"])
        architecture["convs"] = tuple(Conv(**conv) for conv in architecture["convs"])
        for name in ("hidden", "image"):
            architecture[name] = tuple(architecture[name])
        optimiser["betas"] = tuple(optimiser["betas"])
        parts = {
            "architecture": Architecture(**architecture),
            "optimiser": Optimiser(**optimiser),
            "schedule": Schedule(**plain["schedule"]),
        }
        return cls(**{**plain, **parts})
