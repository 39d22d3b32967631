"""A reader of bytes that somebody else may have written, and samples of what it reads."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mvc.testing.mutations import damage


@dataclass(frozen=True)
class Reader:
    """``samples`` are sound. ``read`` gets bytes and a scratch directory. ``spoil`` makes one input of a sample.

    ``weight``: how many inputs it gets beside the others; less for those that are slow.
    """

    name: str
    samples: tuple[bytes, ...]
    read: Callable[[bytes, Path], object]
    spoil: Callable[[random.Random, bytes, tuple[bytes, ...]], bytes] = damage
    weight: int = 10

    def inputs(self, rng: random.Random) -> Iterator[bytes]:
        """Damaged samples, without end."""
        while True:
            yield self.spoil(rng, rng.choice(self.samples), self.samples)
