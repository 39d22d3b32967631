"""Every paper that can be run, by name. Owns the list; imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from mvc.errors import NotFoundError
from mvc.papers import schurholt_2021_hyper, schurholt_borth_2021
from mvc.papers.cards import Paper

PAPERS: Mapping[str, Paper] = MappingProxyType(
    {card.name: card for card in (schurholt_borth_2021.CARD, schurholt_2021_hyper.CARD)}
)


def find_paper(name: str) -> Paper:
    """The card of that name. Raises NotFoundError."""
    if name not in PAPERS:
        raise NotFoundError(f"no paper is called {name!r}", hint=f"one of: {', '.join(PAPERS)}")
    return PAPERS[name]
