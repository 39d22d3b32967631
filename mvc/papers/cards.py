"""What every paper's card says, whatever is measured in it. Owns the type that protocols extend.

Refuses to compute and to import torch: the command line lists papers.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """One population of a paper: its name there, and the card of `mvc.zoo` that it is trained by."""

    name: str
    zoo: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """A published experiment. A protocol's card extends this by what it needs; its room runs such cards.

    ``notes`` are the readings taken where the paper's text leaves a choice.
    """

    name: str
    title: str
    about: str
    zoos: tuple[Population, ...]
    notes: tuple[str, ...]

    @property
    def numbers(self) -> tuple[str, ...]:
        """Numbers of the paper's tables that can be run one by one; none where all is one measurement."""
        return ()
