"""Parts that the networks of ``model`` are made of: attention, message passing, statistics, pooling. Owns no network.

B models, d weights each, T tokens of D values.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mvc.embedding.recipes import Recipe
from mvc.embedding.tokens import Layout
from mvc.geometry.permutations import Ints
from mvc.geometry.statistics import TRIMMED

_TINY = 1e-6


class Attention(nn.Module):
    """Multi-head self-attention."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.into = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        split = self.into(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # (3, B, heads, T, D/heads)
        query, key, value = split.unbind(0)
        scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5  # (B, heads, T, T)
        shares = F.dropout(scores.softmax(-1), self.dropout, self.training)
        mixed = (shares @ value).transpose(1, 2).flatten(2)  # (B, T, D)
        out: Tensor = self.out(mixed)
        return out  # (B, T, D)


class Block(nn.Module):
    """Attention, then a feed-forward part; each normalises what it reads and adds to it."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        width, hidden = recipe.width, recipe.feedforward
        self.before_attention, self.before_feedforward = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, recipe.heads, recipe.dropout)
        self.feedforward = nn.Sequential(
            nn.Linear(width, hidden), nn.GELU(), nn.Dropout(recipe.dropout), nn.Linear(hidden, width)
        )
        self.dropout = nn.Dropout(recipe.dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.dropout(self.attention(self.before_attention(x)))  # (B, T, D)
        return torch.add(x, self.dropout(self.feedforward(self.before_feedforward(x))))  # (B, T, D)


class Slots(nn.Module):
    """Cuts tokens of one kind out of flat weights: (B, d) → (B, *slots)."""

    index: Tensor

    def __init__(self, slots: Ints) -> None:
        super().__init__()
        self.shape = slots.shape
        self.register_buffer("index", torch.from_numpy(slots.ravel().copy()), persistent=False)

    def forward(self, weights: Tensor) -> Tensor:
        return weights.index_select(1, self.index).view(len(weights), *self.shape)


def learned(*shape: int) -> nn.Parameter:
    """A parameter that begins near zero. On the meta device it has no values, nor are any drawn: that alone would
    import a compiler, which takes as long as the rest of torch."""
    empty = torch.empty(*shape)
    return nn.Parameter(empty if empty.is_meta else empty.normal_() * 0.1)


class Statistics(nn.Module):
    """s(W), the seven figures of `mvc.geometry.statistics` for every tensor: (B, d) → (B, 7 · tensors), standardised.

    The moments that they are standardised by are fitted once, on training models.
    """

    centre: Tensor
    scale: Tensor

    def __init__(self, of: Layout) -> None:
        super().__init__()
        self.sizes = [places.size for places in of.places.values()]
        count = len(self.sizes) * (2 + len(TRIMMED))
        self.register_buffer("centre", torch.zeros(count))
        self.register_buffer("scale", torch.ones(count))

    def raw(self, weights: Tensor) -> Tensor:
        shares = torch.tensor(TRIMMED, dtype=weights.dtype) / 100
        parts = []
        for part in torch.split(weights, self.sizes, 1):  # (B, n)
            mean, variance = mean_and_variance(part)
            place = shares * (part.shape[1] - 1)  # percentiles interpolate between the two nearest of the sorted
            below = place.long()
            above = (below + 1).clamp(max=part.shape[1] - 1)
            ordered = part.sort(1).values
            percentiles = torch.lerp(ordered[:, below], ordered[:, above], place - below)  # (B, 5)
            parts.append(torch.cat([mean[:, None], variance[:, None], percentiles], 1))
        return torch.cat(parts, 1)  # (B, 7 · tensors)

    @torch.no_grad()
    def fit(self, weights: Tensor) -> None:
        deviation, mean = torch.std_mean(self.raw(weights), 0, correction=0)
        self.centre.copy_(mean)
        self.scale.copy_(torch.where(deviation > _TINY, deviation, torch.ones(())))

    def forward(self, weights: Tensor) -> Tensor:
        return ((self.raw(weights) - self.centre) / self.scale).clamp(-8, 8)


class Nothing(nn.Module):
    """What a unit that has only hidden neighbours says of itself: zeros, (B, n, 0) → (B, n, D)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, x: Tensor) -> Tensor:
        return x.new_zeros(*x.shape[:-1], self.width)


class Messages(nn.Module):
    """What hidden units tell those that they are joined to, along the weights between them, both ways."""

    def __init__(self, width: int, edge: int) -> None:
        super().__init__()
        self.forth, self.back = nn.Linear(edge, width), nn.Linear(edge, width)
        self.from_source, self.from_to = nn.Linear(width, width, bias=False), nn.Linear(width, width, bias=False)
        self.tell = nn.Linear(width, 2 * width)

    def forward(self, edges: Tensor, to: Tensor, source: Tensor) -> tuple[Tensor, Tensor]:
        """Of edges (B, m, n, width) between units (B, m, D) and (B, n, D), what each of them hears, (B, m or n, D)."""
        up = F.gelu(self.forth(edges) + self.from_source(source).unsqueeze(1)).mean(2)  # (B, m, D)
        down = F.gelu(self.back(edges) + self.from_to(to).unsqueeze(2)).mean(1)  # (B, n, D)
        weight, bias = self.tell.weight.chunk(2), self.tell.bias.chunk(2)
        return F.linear(up, weight[0], bias[0]), F.linear(down, weight[1], bias[1])


def moments(x: Tensor, counts: Sequence[int]) -> Tensor:
    """Mean and deviation over each layer's tokens (B, T, D), joined, (B, …). One token is its own mean."""
    parts = []
    for part in torch.split(x, list(counts), 1):  # (B, n, D)
        if part.shape[1] == 1:
            parts.append(part[:, 0])
        else:
            mean, variance = mean_and_variance(part)
            parts += [mean, (variance + _TINY).sqrt()]
    return torch.cat(parts, 1)


def mean_and_variance(x: Tensor) -> tuple[Tensor, Tensor]:
    """Over axis 1, not corrected. Torch's own var_mean takes two to four times as long along such an axis."""
    mean = x.mean(1)
    return mean, (x - mean.unsqueeze(1)).square().mean(1)


def moment_count(counts: Sequence[int]) -> int:
    """How many vectors `moments` joins."""
    return sum(1 if count == 1 else 2 for count in counts)
