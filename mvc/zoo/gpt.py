"""The card ``gpt-bytes``: a GPT that reads bytes, small enough to be trained on a CPU and large enough to be a real
checkpoint (10.05 M weights, 40 MB). Owns the network, its text (Python's own standard library) and one run's training.

Unlike the populations of ``train`` this is one model at a time, for what needs files of real size: the store's
benchmarks. Blocks as in GPT-2 (Radford et al. 2019): normalisation before attention and before the MLP, learned
positions; without biases in the linear layers.
"""

from __future__ import annotations

import sysconfig
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mvc.zoo.nets import generator

_BYTES = 256
#: directories whose files are no part of the library itself
_LEFT_OUT = {"site-packages", "dist-packages", "test", "tests"}


@dataclass(frozen=True, slots=True)
class GPTCard:
    """One GPT and how it is trained. ``trained_blocks`` are the last ones, which alone learn (None: everything does);
    ``dtype`` is that of the files, training is in float32.
    """

    name: str = "gpt-bytes"
    layers: int = 8
    width: int = 320
    heads: int = 5
    context: int = 128
    batch: int = 8
    lr: float = 6e-4
    weight_decay: float = 0.1
    warmup: int = 10  # steps
    trained_blocks: int | None = None
    dtype: torch.dtype = torch.float32


GPT_BYTES = GPTCard()


class Block(nn.Module):
    """Attention and MLP, each added to what it reads."""

    def __init__(self, card: GPTCard) -> None:
        super().__init__()
        self.heads = card.heads
        self.norm1, self.norm2 = nn.LayerNorm(card.width), nn.LayerNorm(card.width)
        self.qkv = nn.Linear(card.width, 3 * card.width, bias=False)
        self.proj = nn.Linear(card.width, card.width, bias=False)
        self.up = nn.Linear(card.width, 4 * card.width, bias=False)
        self.down = nn.Linear(4 * card.width, card.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) → (B, T, D)"""
        batch, length, width = x.shape
        parts = self.qkv(self.norm1(x)).view(batch, length, 3, self.heads, -1)  # (B, T, 3, H, D/H)
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # (B, H, T, D/H) each
        seen = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.proj(seen.transpose(1, 2).reshape(batch, length, width))
        out: Tensor = x + self.down(F.gelu(self.up(self.norm2(x))))
        return out


class GPT(nn.Module):
    """The next byte's logits for every byte of a text."""

    def __init__(self, card: GPTCard, seed: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(_BYTES, card.width)
        self.positions = nn.Embedding(card.context, card.width)
        self.blocks = nn.ModuleList(Block(card) for _ in range(card.layers))
        self.norm = nn.LayerNorm(card.width)
        self.head = nn.Linear(card.width, _BYTES, bias=False)
        stream = generator(seed, "gpt")
        for name, weight in self.named_parameters():
            if weight.dim() > 1:  # what is added to the residual stream begins smaller, as in GPT-2
                residual = name.endswith(("proj.weight", "down.weight"))
                nn.init.normal_(weight, std=0.02 / ((2 * card.layers) ** 0.5 if residual else 1), generator=stream)

    def forward(self, text: Tensor) -> Tensor:
        """(B, T) bytes → (B, T, 256)"""
        x = self.tokens(text) + self.positions.weight[: text.shape[1]]  # (B, T, D)
        for block in self.blocks:
            x = block(x)
        logits: Tensor = self.head(self.norm(x))
        return logits


class GPTRun:
    """One model in training. What a step does depends on card, seed and the step's number alone."""

    def __init__(self, card: GPTCard, text: Tensor, seed: int = 0) -> None:
        self.card, self.text, self.seed = card, text, seed
        self.model = GPT(card, seed)
        self.step = 0
        if card.trained_blocks is not None:
            self.model.requires_grad_(False)
            self.model.blocks[-card.trained_blocks :].requires_grad_(True)
        weights = [weight for weight in self.model.parameters() if weight.requires_grad]
        self.optimiser = torch.optim.AdamW(weights, lr=card.lr, betas=(0.9, 0.95), weight_decay=card.weight_decay)

    def train(self, steps: int) -> float:
        """The mean loss over ``steps`` steps, nats a byte."""
        total = 0.0
        for _ in range(steps):
            self.step += 1
            for group in self.optimiser.param_groups:
                group["lr"] = self.card.lr * min(1.0, self.step / max(self.card.warmup, 1))
            inputs, targets = self._draw()
            loss = F.cross_entropy(self.model(inputs).flatten(0, 1), targets.flatten())
            self.optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimiser.step()
            total += loss.item()
        return total / steps

    def _draw(self) -> tuple[Tensor, Tensor]:
        """Inputs and targets (B, T) of the step."""
        stream = generator(self.seed, "batch", self.step)
        starts = torch.randint(len(self.text) - self.card.context - 1, (self.card.batch,), generator=stream)
        rows = torch.stack([self.text[start : start + self.card.context + 1] for start in starts.tolist()]).long()
        return rows[:, :-1], rows[:, 1:]

    def weights(self) -> dict[str, Tensor]:
        """name → copy in the card's dtype, as a file takes them."""
        return {name: weight.to(self.card.dtype, copy=True) for name, weight in self.model.state_dict().items()}


def library_text(size: int = 8_000_000) -> Tensor:
    """The first ``size`` bytes (uint8) of the standard library's own sources, in the order of their paths."""
    root = Path(sysconfig.get_path("stdlib"))
    found = bytearray()
    for path in sorted(root.rglob("*.py")):
        if len(found) < size and not _LEFT_OUT & set(path.relative_to(root).parts):
            found += path.read_bytes()
    return torch.frombuffer(found[:size], dtype=torch.uint8)
