"""Which populations `mvc zoo` can train. Owns the list; trains nothing, so that listing needs no torch."""

from __future__ import annotations

from mvc.porcelain.results.zoos import ZooCard, ZooListResult
from mvc.zoo.published import POPULATIONS

#: the mixed population that the demo is run on; no single card
DEMO = "demo"
_DEMO_ABOUT = "12 MLP and 6 CNN runs on scikit-learn's digits, a fork and a corrupted step, anonymous files"


def list_cards() -> ZooListResult:
    """Every population, by name."""
    cards = [
        ZooCard(name, grid.base.about, grid.full_size, grid.seeds, grid.base.epochs, grid.base.architecture.size)
        for name, grid in sorted(POPULATIONS.items())
    ]
    return ZooListResult((ZooCard(DEMO, _DEMO_ABOUT, None, None, None, None), *cards))
