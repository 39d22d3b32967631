"""Which papers `mvc paper` can run. Owns the list's form; runs nothing, so that listing needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

from mvc.papers.catalogue import PAPERS


@dataclass(frozen=True)
class PaperRow:
    name: str
    title: str
    about: str
    zoos: tuple[str, ...]
    tables: tuple[str, ...]


@dataclass(frozen=True)
class PaperListResult:
    papers: tuple[PaperRow, ...]


def list_papers() -> PaperListResult:
    """Every paper, by name."""
    rows = [
        PaperRow(card.name, card.title, card.about, tuple(zoo.name for zoo in card.zoos), card.numbers)
        for card in sorted(PAPERS.values(), key=lambda card: card.name)
    ]
    return PaperListResult(tuple(rows))
