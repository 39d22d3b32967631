"""What an embedder is and how it is trained: every hyperparameter as one frozen value, and recipes by name. Owns their
validation; refuses to import torch: the command line lists recipes.

``schurholt-2021`` is the recipe of Schürholt, Kostadinov and Borth (NeurIPS 2021) for small networks; the others are
ours, chosen on validation models (``benchmarks/embedding``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from types import MappingProxyType
from typing import Any, Literal, get_args

from mvc.errors import InputError, NotFoundError

Encoder = Literal["attention", "feedforward", "invariant"]
Tokens = Literal["weight", "neuron", "unit"]
Pooling = Literal["token", "aggregate", "moments"]
Loss = Literal["ED", "E_c", "E_cD", "E_c+D"]
Erasing = Literal["block", "scatter"]
Schedule = Literal["constant", "one-cycle"]
Precision = Literal["float32", "bfloat16"]

_CHOICES: Mapping[str, tuple[str, ...]] = {
    "encoder": get_args(Encoder),
    "tokens": get_args(Tokens),
    "pooling": get_args(Pooling),
    "loss": get_args(Loss),
    "erase_mode": get_args(Erasing),
    "schedule": get_args(Schedule),
    "precision": get_args(Precision),
}
#: the most that widths and counts may be, and layers: a damaged or hostile file asks for no more than this
_MOST, _DEEPEST = 1 << 16, 64


@dataclass(frozen=True, slots=True)
class Recipe:
    """An encoder, its loss, its augmentations and its training. Raises InputError where they do not go together."""

    name: str
    about: str = ""
    # the encoder
    encoder: Encoder = "attention"
    tokens: Tokens = "unit"  # of attention: one a weight, one a neuron, or one a hidden unit with what reads it
    statistics: bool = False  # one more token: the figures s(W) of every tensor
    pooling: Pooling = "token"  # a compression token, all tokens side by side, or mean and deviation of every layer's
    width: int = 64  # values of a token
    heads: int = 4
    blocks: int = 2
    feedforward: int = 128  # hidden width of a block's feed-forward part
    dropout: float = 0.0
    latent: int = 64
    # the loss: γ · contrast + (1 − γ) · squared error
    loss: Loss = "E_c"
    gamma: float = 0.5
    temperature: float = 0.1
    projection: tuple[int, ...] = (64, 64, 32)  # widths of the projection head, hidden ones and the output's
    # the augmentations
    permute: bool = True  # hidden units change places
    erase: float = 0.0  # probability that a view is erased in
    erase_share: tuple[float, float] = (0.02, 0.33)  # of the weights, least and most
    erase_mode: Erasing = "block"  # one stretch of weights, or weights here and there
    noise: float = 0.0  # deviation of gaussian noise, in deviations of the layer
    # the training
    lr: float = 2e-3
    weight_decay: float = 0.0
    schedule: Schedule = "one-cycle"
    batch: int = 500  # less of models so large that it would not fit in memory
    per_model: int = 10  # checkpoints of one model in a batch; more where there are too few models to fill it
    epochs: int = 50  # times as many samples as there are checkpoints
    precision: Precision = "float32"  # of products in training; weights and embeddings stay float32
    seed: int = 0

    def __post_init__(self) -> None:
        for field, choices in _CHOICES.items():
            if getattr(self, field) not in choices:
                raise InputError(
                    f"recipe {self.name}: {field} {getattr(self, field)!r} is unknown",
                    hint=f"one of: {', '.join(choices)}",
                )
        counts = (self.width, self.heads, self.feedforward, self.latent, self.batch, self.per_model)
        if not all(1 <= count <= _MOST for count in (*counts, *self.projection)) or self.epochs < 0:
            raise InputError(f"recipe {self.name}: widths, counts and batches are between 1 and {_MOST}")
        if not 1 <= self.blocks <= _DEEPEST or not 1 <= len(self.projection) <= _DEEPEST:
            raise InputError(f"recipe {self.name}: between 1 and {_DEEPEST} blocks, and layers of the projection head")
        if self.width % self.heads:
            raise InputError(f"recipe {self.name}: {self.heads} heads do not divide tokens of {self.width} values")
        shares = (self.dropout, self.gamma, self.erase, *self.erase_share)
        if len(self.erase_share) != 2 or not all(0 <= share <= 1 for share in shares) or self.dropout == 1:
            raise InputError(f"recipe {self.name}: dropout, gamma and what is erased are shares between 0 and 1")
        amounts = (self.temperature, self.lr, self.weight_decay, self.noise)
        if not all(math.isfinite(one) and one >= 0 for one in amounts) or not self.temperature or not self.lr:
            raise InputError(
                f"recipe {self.name}: temperature and learning rate are positive, decay and noise not less"
            )
        if self.encoder == "invariant" and self.decodes:
            raise InputError(
                f"recipe {self.name}: an invariant encoder forgets the units' order, so {self.loss} cannot rebuild it",
                hint="train it with E_c",
            )

    @property
    def contrasts(self) -> bool:
        return self.loss != "ED"

    @property
    def decodes(self) -> bool:
        return self.loss != "E_c"

    def to_json(self) -> dict[str, Any]:
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


def recipe_from_json(facts: Mapping[str, Any]) -> Recipe:
    """The recipe that `Recipe.to_json` described. Raises InputError for anything else."""
    defaults = Recipe("")
    kinds = {field.name: type(getattr(defaults, field.name)) for field in fields(Recipe)}
    if facts.keys() != kinds.keys():
        raise InputError(f"not a recipe of this version: {', '.join(sorted(facts.keys() ^ kinds.keys()))}")
    values: dict[str, Any] = {}
    for name, value in facts.items():
        kind = kinds[name]
        fits = type(value) is kind or (kind is float and type(value) is int)
        if kind is tuple and isinstance(value, (list, tuple)):
            fits, value = all(type(one) in (int, float) for one in value), tuple(value)
        if not fits:
            raise InputError(f"a recipe's {name} is no {kind.__name__}: {value!r:.80}")
        values[name] = value
    return Recipe(**values)


_PAPER = Recipe(
    "schurholt-2021",
    "Schürholt, Kostadinov and Borth 2021 on TETRIS-SEED: a token for each neuron, contrast and reconstruction",
    tokens="neuron",
    width=256,
    feedforward=512,
    dropout=0.1,
    latent=50,
    loss="E_cD",
    projection=(50, 50, 50, 20),
    erase=0.5,
    lr=1e-4,
    weight_decay=1e-9,
    schedule="constant",
    per_model=1,
    epochs=1000,
)
_UNITS = Recipe(
    "units",
    "joint tokens of hidden units and the layers' statistics, contrast only",
    statistics=True,
    pooling="moments",
    latent=256,
    erase=1.0,
    erase_share=(0.05, 0.2),
    erase_mode="scatter",
    per_model=25,
    epochs=20,
)
_RECIPES = (
    _PAPER,
    _UNITS,
    replace(
        _UNITS,
        name="units-decoder",
        about="joint tokens of hidden units and the layers' statistics, contrast and reconstruction",
        loss="E_cD",
    ),
    replace(
        _UNITS,
        name="invariant",
        about="exactly the same vector however a model's hidden units are ordered; contrast only",
        encoder="invariant",
        latent=64,
        erase=0.5,
        erase_share=(0.03, 0.1),
        erase_mode="block",
        per_model=10,
        epochs=50,
    ),
    replace(
        _UNITS,
        name="invariant-wide",
        about="exactly invariant in four times as many values, for probes to read from; contrast only",
        encoder="invariant",
    ),
)

RECIPES: Mapping[str, Recipe] = MappingProxyType({recipe.name: recipe for recipe in _RECIPES})


def find_recipe(name: str) -> Recipe:
    """The recipe of that name. Raises NotFoundError."""
    if name not in RECIPES:
        raise NotFoundError(f"no embedding recipe is called {name!r}", hint=f"one of: {', '.join(RECIPES)}")
    return RECIPES[name]
