"""What embeddings are trained for. Owns the losses, as functions of vectors; all means over the batch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def nt_xent(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """Normalised-temperature cross-entropy of two views (B, p) each (SimCLR, Chen et al. 2020).

    Of the 2B − 1 other vectors, each is to find the other view of itself, by cosine over ``temperature``.
    """
    count = len(first)
    views = F.normalize(torch.cat([first, second]).float(), dim=1)  # (2B, p)
    logits = views @ views.T / temperature  # (2B, 2B)
    logits.fill_diagonal_(-torch.inf)
    partner = torch.arange(2 * count).roll(count)  # (2B)
    return F.cross_entropy(logits, partner)


def closeness(first: Tensor, second: Tensor) -> Tensor:
    """Squared distance of the two views' unit vectors, (B, p) each: positives alone (Schürholt et al. 2021, Eq. 3).

    All vectors equal would be perfect: it is used beside a reconstruction, which keeps them apart.
    """
    apart = F.normalize(first.float(), dim=1) - F.normalize(second.float(), dim=1)  # (B, p)
    return apart.square().sum(1).mean()


def reconstruction(rebuilt: Tensor, target: Tensor) -> Tensor:
    """Mean squared error of standardised weights, (B, d) each."""
    return F.mse_loss(rebuilt.float(), target)
