"""The networks that read and write weights, from flat weights to the latent vector and back; their parts are in
`blocks`.

B models, d weights each, T tokens of D values, L latent values. Attention follows Vaswani et al. 2017 in the pre-norm
form; tokens, compression token and mirrored decoder Schürholt, Kostadinov and Borth 2021. The invariant encoder passes
messages along the weights between hidden units, as graph networks over weights do (Kofinas et al. 2024).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from mvc.embedding.blocks import Block, Messages, Nothing, Slots, Statistics, learned, moment_count, moments
from mvc.embedding.recipes import Recipe
from mvc.embedding.tokens import Kind, Layout, graph, neuron_tokens, unit_tokens, weight_tokens

_TOKENS = {"weight": weight_tokens, "neuron": neuron_tokens, "unit": unit_tokens}


class Tokenise(nn.Module):
    """Every kind of token by a linear layer of its own, and a position learned for each: (B, d) → (B, T, D)."""

    def __init__(self, recipe: Recipe, of: Layout, kinds: Sequence[Kind]) -> None:
        super().__init__()
        self.slots = nn.ModuleList(Slots(kind.slots) for kind in kinds)
        self.embed = nn.ModuleList(nn.Linear(kind.slots.shape[1], recipe.width) for kind in kinds)
        self.counts = [len(kind.slots) for kind in kinds]
        self.statistics = Statistics(of) if recipe.statistics else None
        self.describe = None
        if self.statistics is not None:
            self.describe = nn.Linear(len(self.statistics.centre), recipe.width)
            self.counts.append(1)
        self.positions = learned(sum(self.counts), recipe.width)

    def forward(self, weights: Tensor) -> Tensor:
        parts = [embed(cut(weights)) for cut, embed in zip(self.slots, self.embed, strict=True)]  # (B, count, D) each
        if self.statistics is not None and self.describe is not None:
            parts.append(self.describe(self.statistics(weights)).unsqueeze(1))  # (B, 1, D)
        return torch.cat(parts, 1) + self.positions  # (B, T, D)


class AttentionEncoder(nn.Module):
    """Tokens with positions through blocks of attention, pooled into the latent vector."""

    def __init__(self, recipe: Recipe, of: Layout) -> None:
        super().__init__()
        kinds = _TOKENS[recipe.tokens](of)
        self.tokenise = Tokenise(recipe, of, kinds)
        self.pooling = recipe.pooling
        if recipe.pooling == "token":
            self.compression = learned(recipe.width)
        self.blocks = nn.ModuleList(Block(recipe) for _ in range(recipe.blocks))
        counts = self.tokenise.counts
        values = {"token": 1, "aggregate": sum(counts), "moments": moment_count(counts)}[recipe.pooling]
        self.compress = nn.Linear(values * recipe.width, recipe.latent)

    def forward(self, weights: Tensor) -> Tensor:
        x = self.tokenise(weights)  # (B, T, D)
        if self.pooling == "token":
            x = torch.cat([self.compression.expand(len(x), 1, -1), x], 1)  # (B, 1 + T, D)
        for block in self.blocks:
            x = block(x)
        if self.pooling == "token":
            pooled = x[:, 0]  # (B, D)
        elif self.pooling == "aggregate":
            pooled = x.flatten(1)  # (B, T · D)
        else:
            pooled = moments(x, self.tokenise.counts)
        return torch.tanh(self.compress(pooled))  # (B, L)


class FeedForwardEncoder(nn.Module):
    """Flat weights through fully connected layers: the baseline that knows nothing of tokens."""

    def __init__(self, recipe: Recipe, of: Layout) -> None:
        super().__init__()
        self.layers = _feedforward(recipe, of.size, recipe.latent)

    def forward(self, weights: Tensor) -> Tensor:
        return torch.tanh(self.layers(weights))  # (B, L)


class InvariantEncoder(nn.Module):
    """The same latent vector in whatever order the hidden units stand, for any number of layers.

    Units are a set: they have no positions, only their layer's embedding; each layer's moments are the only way out.
    """

    def __init__(self, recipe: Recipe, of: Layout) -> None:
        super().__init__()
        found, width = graph(of), recipe.width
        self.groups = [len(kind.slots) for kind in found.units]
        self.ends = [(edges.to, edges.source) for edges in found.edges]
        self.own = nn.ModuleList(Slots(kind.slots) for kind in found.units)
        self.embed = nn.ModuleList(
            nn.Linear(kind.slots.shape[1], width, bias=False) if kind.slots.shape[1] else Nothing(width)
            for kind in found.units
        )
        self.layers = learned(len(found.units), width)
        self.rest = Tokenise(recipe, of, [Kind("rest", found.rest[None, :])] if found.rest.size else [])
        self.edges = nn.ModuleList(Slots(edges.slots) for edges in found.edges)
        self.messages = nn.ModuleList(
            nn.ModuleList(Messages(width, edges.slots.shape[2]) for edges in found.edges) for _ in range(recipe.blocks)
        )
        # one hidden layer joins no two hidden units: nothing is heard, and what nobody reads would never be trained
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(recipe.blocks if found.edges else 0))
        self.blocks = nn.ModuleList(Block(recipe) for _ in range(recipe.blocks))
        self.counts = [*self.groups, *(1 for _ in range(sum(self.rest.counts)))]
        self.compress = nn.Linear(moment_count(self.counts) * width, recipe.latent)

    def forward(self, weights: Tensor) -> Tensor:
        units = [
            embed(own(weights)) + layer for own, embed, layer in zip(self.own, self.embed, self.layers, strict=True)
        ]  # (B, n, D) of each group
        x = torch.cat([*units, self.rest(weights)], 1) if self.rest.counts else torch.cat(units, 1)  # (B, T, D)
        edges = [cut(weights) for cut in self.edges]  # (B, m, n, width) each
        for depth, block in enumerate(self.blocks):
            if edges:
                x = x + self._heard(self.norms[depth](x), edges, self.messages[depth])
            x = block(x)
        return torch.tanh(self.compress(moments(x, self.counts)))  # (B, L)

    def _heard(self, x: Tensor, edges: Sequence[Tensor], messages: nn.Module) -> Tensor:
        """What every token hears along the edges, (B, T, D)."""
        units = torch.split(x, self.counts, 1)
        heard = [torch.zeros_like(one) for one in units]
        for edge, (to, source), message in zip(edges, self.ends, messages.children(), strict=True):
            up, down = message(edge, units[to], units[source])
            heard[to] = heard[to] + up
            heard[source] = heard[source] + down
        return torch.cat(heard, 1)


class AttentionDecoder(nn.Module):
    """The mirror of `AttentionEncoder`: the latent vector becomes tokens, and each token its weights again.

    A weight that stands in two tokens is the mean of what both say.
    """

    places: Tensor
    counts: Tensor

    def __init__(self, recipe: Recipe, of: Layout) -> None:
        super().__init__()
        kinds = _TOKENS[recipe.tokens](of)
        self.sizes = [len(kind.slots) for kind in kinds]
        self.expand = nn.Linear(recipe.latent, sum(self.sizes) * recipe.width)
        self.positions = learned(sum(self.sizes), recipe.width)
        self.blocks = nn.ModuleList(Block(recipe) for _ in range(recipe.blocks))
        self.write = nn.ModuleList(nn.Linear(recipe.width, kind.slots.shape[1]) for kind in kinds)
        places = torch.cat([torch.from_numpy(kind.slots.ravel()) for kind in kinds])
        self.register_buffer("places", places, persistent=False)
        self.register_buffer("counts", torch.bincount(places, minlength=of.size), persistent=False)

    def forward(self, latent: Tensor) -> Tensor:
        x = self.expand(latent).unflatten(1, self.positions.shape) + self.positions  # (B, T, D)
        for block in self.blocks:
            x = block(x)
        said = [write(part).flatten(1) for write, part in zip(self.write, x.split(self.sizes, 1), strict=True)]
        values = torch.cat(said, 1).float()  # (B, values of all tokens)
        return values.new_zeros(len(x), len(self.counts)).index_add(1, self.places, values) / self.counts  # (B, d)


class FeedForwardDecoder(nn.Module):
    """The mirror of `FeedForwardEncoder`."""

    def __init__(self, recipe: Recipe, of: Layout) -> None:
        super().__init__()
        self.layers = _feedforward(recipe, recipe.latent, of.size)

    def forward(self, latent: Tensor) -> Tensor:
        rebuilt: Tensor = self.layers(latent)
        return rebuilt  # (B, d)


class ProjectionHead(nn.Module):
    """What the contrast is seen through and what is thrown away after training: (B, L) → (B, p)."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        widths = (recipe.latent, *recipe.projection)
        layers: list[nn.Module] = []
        for into, out in pairwise(widths):
            layers += [nn.Linear(into, out), nn.BatchNorm1d(out), nn.ReLU()]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, latent: Tensor) -> Tensor:
        projected: Tensor = self.layers(latent)
        return projected


def _feedforward(recipe: Recipe, into: int, out: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(recipe.blocks):
        layers += [nn.Linear(into, recipe.feedforward), nn.GELU(), nn.Dropout(recipe.dropout)]
        into = recipe.feedforward
    return nn.Sequential(*layers, nn.Linear(into, out))


def build_encoder(recipe: Recipe, of: Layout) -> nn.Module:
    """(B, d) standardised weights → (B, L)."""
    kind = {"attention": AttentionEncoder, "feedforward": FeedForwardEncoder, "invariant": InvariantEncoder}
    return kind[recipe.encoder](recipe, of)


def build_decoder(recipe: Recipe, of: Layout) -> nn.Module | None:
    """(B, L) → (B, d) standardised weights; None where the recipe rebuilds nothing."""
    if not recipe.decodes:
        return None
    return (FeedForwardDecoder if recipe.encoder == "feedforward" else AttentionDecoder)(recipe, of)
