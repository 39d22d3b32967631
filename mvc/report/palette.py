"""Colours. Owns that a lineage has the same one in every picture, and that all can be told apart on light and dark.

Each theme has eight: at least 3 to 1 against its ground (WCAG 2.2, 1.4.11), and apart for eyes that lack one kind of
cones (Machado et al. 2009) as well. No colour says anything alone: lineages are named, broken rules have a shape.
"""

from __future__ import annotations

from typing import Any, Literal

Theme = Literal["light", "dark"]

LINEAGES: dict[Theme, tuple[str, ...]] = {
    "light": ("#5e8ef4", "#a06200", "#3f3a92", "#d96ea2", "#01686f", "#7d9c12", "#8c50bd", "#920506"),
    "dark": ("#44c3fb", "#b38442", "#9a7aeb", "#f38ca5", "#4e6c0c", "#acc117", "#ad467d", "#0a61c5"),
}
#: what lies between lineages, as data names it
BETWEEN = -1
_GREY: dict[Theme, str] = {"light": "#80858e", "dark": "#8a8f98"}

_INK = {"light": ("#1f2328", "#59636e", "#d8dee4"), "dark": ("#e6edf3", "#9198a1", "#30363d")}
BACKGROUND = {"light": "#ffffff", "dark": "#0d1117"}
FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"
#: mark of the chosen commit, and of what breaks a rule
CHOSEN = {"light": "#1f2328", "dark": "#ffffff"}
BROKEN = {"light": "#d1242f", "dark": "#f85149"}


def colour(lineage: int) -> int:
    """Which of the colours."""
    return lineage % len(LINEAGES["light"])


def scale(theme: Theme) -> dict[str, Any]:
    """From the numbers of colours to colours, as Vega-Lite."""
    own = LINEAGES[theme]
    return {"domain": [BETWEEN, *range(len(own))], "range": [_GREY[theme], *own]}


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
