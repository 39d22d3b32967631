"""Which images a card's models are trained on. Owns the choice between the caller's images and mvc's own."""

from __future__ import annotations

from pathlib import Path

from mvc.errors import InputError
from mvc.zoo.cards import Card
from mvc.zoo.data import Dataset, load
from mvc.zoo.tetris import tetris


def load_for(card: Card, where: Path | None = None) -> Dataset:
    """The images that ``card`` asks for, of its size: its own, or those at ``where`` as ``data.load`` has them."""
    _, height, width = card.architecture.image
    if card.data == "tetris":
        if where is not None:
            raise InputError(f"{card.name} is trained on mvc's own images", hint="leave --data out")
        return tetris()
    if height != width:
        raise InputError(f"{card.name} takes images of {height}×{width}", hint="only square ones can be loaded")
    return load(where, side=height)
