"""Colours. Owns that a lineage has the same one in every picture, and that all can be told apart on light and dark."""

from __future__ import annotations

from typing import Any, Literal

Theme = Literal["light", "dark"]

#: Tableau's ten of 2016, which keep apart on white and on near-black
LINEAGES = (
    *("#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#76b7b2"),
    *("#b07aa1", "#edc948", "#9c755f", "#ff9da7", "#8c8c8c"),
)
#: what lies between lineages
BETWEEN = "#8a8f98"

_INK = {"light": ("#1f2328", "#59636e", "#d8dee4"), "dark": ("#e6edf3", "#9198a1", "#30363d")}
BACKGROUND = {"light": "#ffffff", "dark": "#0d1117"}
FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"
#: mark of the chosen commit, and of what breaks a rule
CHOSEN, BROKEN = {"light": "#1f2328", "dark": "#ffffff"}, "#d1242f"


def colour(lineage: int) -> str:
    return LINEAGES[lineage % len(LINEAGES)]


def config(theme: Theme) -> dict[str, Any]:
    """Vega-Lite's configuration."""
    ink, quiet, line = _INK[theme]
    titles = {"labelColor": quiet, "titleColor": quiet, "titleFontWeight": "normal", "labelLimit": 170}
    return {
        "background": None,
        "font": FONT,
        "view": {"stroke": None},
        "axis": {**titles, "gridColor": line, "domainColor": line, "tickColor": line, "gridOpacity": 0.6},
        "legend": titles,
        "title": {"color": ink, "subtitleColor": quiet, "anchor": "start", "fontSize": 14, "subtitleFontSize": 11},
        "text": {"color": ink},
    }
