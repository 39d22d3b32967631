"""Every paper that can be run, by name. Owns the list; imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from mvc.errors import NotFoundError
from mvc.papers.cards import PaperCard
from mvc.papers.schurholt_borth_2021 import CARD

PAPERS: Mapping[str, PaperCard] = MappingProxyType({card.name: card for card in (CARD,)})


def find_paper(name: str) -> PaperCard:
    """The card of that name. Raises NotFoundError."""
    if name not in PAPERS:
        raise NotFoundError(f"no paper is called {name!r}", hint=f"one of: {', '.join(PAPERS)}")
    return PAPERS[name]
