"""The four pictures as Vega-Lite: map, dendrogram, drift along a lineage, layers by steps. Owns what they look like.

The same specification makes the page's chart and the file of `mvc plot`; data comes in by the names of a picture's
tables. Vega draws; its JavaScript and its export come with the package vl-convert-python, the extra `report`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mvc.escaping import escape
from mvc.report.data import Grid, Picture, Table
from mvc.report.library import library
from mvc.report.palette import BACKGROUND, BROKEN, CHOSEN, Theme, config, scale

Spec = dict[str, Any]

#: a name on a map; its ground goes under it
_LABEL = {"type": "text", "dx": 8, "dy": -8, "align": "left", "fontSize": 11.5, "limit": 160}
#: legend of logarithms of shares
_PERCENT = {
    "orient": "top",
    "titleOrient": "left",
    "titleLimit": 300,
    "tickCount": 5,
    "symbolType": "square",
    "labelExpr": "format(pow(10, datum.value), '.2~p')",
}

#: chart → height in pixels
HEIGHTS = {"map": 460, "dendrogram": 300, "length": 180, "turn": 150, "layers": 120}
#: and of a layer in the picture of layers
LAYER = 13
#: picture → its charts, from top to bottom
KINDS: Mapping[str, tuple[str, ...]] = {
    "map": ("map",),
    "dendrogram": ("dendrogram",),
    "drift": ("length", "turn"),
    "layers": ("layers",),
}
_WIDTH = 760
#: height of a map over its width
ASPECT = HEIGHTS["map"] / _WIDTH
#: room for the labels of an axis, so that charts one above the other are in line and titles clear of labels
_EXTENT = 42
#: whole numbers only: of few positions Vega would label halves, too
_POSITIONS = {"labelExpr": "datum.value % 1 ? '' : format(datum.value, 'd')", "tickMinStep": 1, "grid": False}


def compiled(theme: Theme) -> dict[str, Any]:
    """Every chart as Vega, without data, for a page that sets the data and the width."""
    vl = library()
    found = {}
    for name in HEIGHTS:
        spec = {**_chart(name, theme, live=True), "autosize": {"type": "fit", "contains": "padding"}}
        spec |= {"width": _WIDTH, "height": HEIGHTS[name], "config": config(theme)}
        found[name] = vl.vegalite_to_vega(spec)
    return found


def export_picture(picture: Picture, form: str, theme: Theme) -> bytes:
    """The picture as "svg" or "png". Raises InputError where the extra is missing."""
    vl = library()
    charts = [
        {**_chart(name, theme, live=False), "width": _WIDTH, "height": _height(name, picture)}
        for name in KINDS[picture.kind]
    ]
    title = {"text": escape(picture.title), "subtitle": _wrapped(escape(picture.note)), "offset": 12}
    spec: Spec = {
        "title": title,
        "config": {**config(theme), "background": BACKGROUND[theme], "padding": 16},
        "datasets": {"chosen": [], **{name: _shown(table) for name, table in picture.tables.items()}},
        **(charts[0] if len(charts) == 1 else {"vconcat": charts}),
    }
    if form == "svg":
        text: str = vl.vegalite_to_svg(spec)
        return text.encode()
    data: bytes = vl.vegalite_to_png(spec, scale=2)
    return data


def _shown(table: Table | Grid) -> list[dict[str, Any]]:
    """Rows with names that can be shown: a character that XML lacks would end the process that draws."""
    return [{key: escape(v) if isinstance(v, str) else v for key, v in row.items()} for row in table.rows()]


def _height(name: str, picture: Picture) -> int:
    """The chart's own, but room for every layer's name."""
    cells = picture.tables.get("cells")
    layers = len(cells.values) if isinstance(cells, Grid) else 0
    return max(HEIGHTS[name], LAYER * layers)


def _wrapped(text: str, columns: int = 120) -> list[str]:
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) >= columns:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return lines


def _chart(name: str, theme: Theme, *, live: bool) -> Spec:
    return {"layer": _CHARTS[name](theme, live)}


def _number(field: str, title: str | None = None, **more: Any) -> Spec:
    return {"field": field, "type": "quantitative", "title": title, **more}


def _data(name: str) -> Spec:
    return {"data": {"name": name}}


def _colour(theme: Theme) -> Spec:
    return {"field": "colour", "type": "nominal", "scale": scale(theme), "legend": None}


def _broken(theme: Theme) -> Spec:
    """A cross: what breaks a rule has a shape of its own, for lineages may be red."""
    mark = {"type": "point", "shape": "cross", "angle": 45, "size": 130, "filled": True, "opacity": 1}
    return {
        "transform": [{"filter": "datum.broken && isValid(datum.y)"}],
        "mark": {**mark, "color": BROKEN[theme], "stroke": BACKGROUND[theme], "strokeWidth": 1},
    }


def _map(theme: Theme, live: bool) -> list[Spec]:
    scale = {"zero": False, "nice": False}
    axis = {"labels": False, "ticks": False, "domain": False}
    x = _number("x", "first axis", scale=scale, axis={**axis, "tickCount": 12})
    y = _number("y", "second axis", scale=scale, axis={**axis, "tickCount": 7})
    ends = {"x": x, "y": y, "x2": {"field": "x2"}, "y2": {"field": "y2"}}
    # dragging moves the map; the wheel scrolls the page unless shift is held
    zoom = {"name": "grid", "select": {"type": "interval", "zoom": "wheel![event.shiftKey]"}, "bind": "scales"}
    return [
        {**_data("frame"), "mark": {"type": "point", "opacity": 0}, "encoding": {"x": x, "y": y}},
        {
            **_data("links"),
            "mark": {"type": "rule", "strokeWidth": 1.4, "opacity": 0.9},
            "encoding": {
                **ends,
                "color": _colour(theme),
                "strokeDash": {
                    "field": "kind",
                    "type": "nominal",
                    "scale": {"domain": ["fork", "mixture"], "range": [[5, 3], [1, 3]]},
                    "legend": None,
                },
            },
        },
        {
            **_data("points"),
            "mark": {"type": "line", "strokeWidth": 1.3, "opacity": 0.75, "interpolate": "linear"},
            "encoding": {
                "x": x,
                "y": y,
                "detail": {"field": "lineage"},
                "order": _number("t"),
                "color": _colour(theme),
            },
        },
        {
            **_data("points"),
            **({"params": [zoom]} if live else {}),
            "mark": {"type": "point", "filled": True, "opacity": 0.95, "strokeWidth": 1},
            "encoding": {
                "x": x,
                "y": y,
                "color": _colour(theme),
                "size": _number("size", scale=None, legend=None),
                "shape": {
                    "field": "kind",
                    "type": "nominal",
                    "scale": {"domain": ["commit", "mixture"], "range": ["circle", "diamond"]},
                    "legend": None,
                },
            },
        },
        {
            **_data("labels"),
            "mark": {**_LABEL, "stroke": BACKGROUND[theme], "strokeWidth": 3, "strokeJoin": "round"},
            "encoding": {"x": x, "y": y, "text": {"field": "text"}},
        },
        {
            **_data("labels"),
            "mark": _LABEL,
            "encoding": {"x": x, "y": y, "text": {"field": "text"}},
        },
        {**_data("points"), **_broken(theme), "encoding": {"x": x, "y": y}},
        {**_ring(theme), "encoding": {"x": x, "y": y}},
    ]


def _dendrogram(theme: Theme, _live: bool) -> list[Spec]:
    x = _number("x", None, axis=None, scale={"nice": False, "zero": False, "padding": 12})
    # the root shows what happens near 0, where commits of one run are
    scale = {"type": "sqrt", "domainMin": 0}
    y = _number(
        "y", "unlikeness (1 − cosine)", scale=scale, axis={"format": ".2~f", "tickCount": 6, "minExtent": _EXTENT}
    )
    dash = {"condition": {"test": "datum.cut", "value": [2, 3]}, "value": [1, 0]}
    line = {"mark": {"type": "rule", "strokeWidth": 1.3}}
    look = {"color": _colour(theme), "strokeDash": dash}
    return [
        {
            **_data("cut"),
            "mark": {"type": "rect", "color": BROKEN[theme], "opacity": 0.1},
            "encoding": {"y": {**y, "field": "low"}, "y2": {"field": "high"}},
        },
        {
            **_data("cut"),
            "mark": {"type": "rule", "color": BROKEN[theme], "strokeWidth": 1, "strokeDash": [6, 3]},
            "encoding": {"y": {**y, "field": "high"}},
        },
        {**_data("merges"), **line, "encoding": {"x": x, "x2": {"field": "x2"}, "y": y, **look}},
        {**_data("merges"), **line, "encoding": {"x": x, "y": y, "y2": {"field": "y1"}, **look}},
        {**_data("merges"), **line, "encoding": {"x": {**x, "field": "x2"}, "y": y, "y2": {"field": "y2"}, **look}},
        {
            **_data("leaves"),
            "mark": {"type": "point", "filled": True, "size": 16, "opacity": 1},
            "encoding": {"x": x, "y": y, "color": _colour(theme)},
        },
        {**_ring(theme), "encoding": {"x": x, "y": y}},
    ]


def _steps(theme: Theme, title: str, scale: Spec, axis: Spec, last: bool) -> list[Spec]:
    x = _number(
        "t",
        "position in the lineage" if last else None,
        axis=_POSITIONS,
        scale={"nice": False, "zero": False, "padding": 10},
    )
    y = _number("y", title, scale=scale, axis={**axis, "minExtent": _EXTENT})
    return [
        {"mark": {"type": "point", "opacity": 0}, "encoding": {"x": x}},  # all charts of a lineage are as wide
        {
            "transform": [{"filter": "isValid(datum.low)"}],
            "mark": {"type": "area", "opacity": 0.22, "interpolate": "monotone"},
            "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}, "color": _colour(theme)},
        },
        {
            "transform": [{"filter": "isValid(datum.y)"}],
            "mark": {"type": "line", "strokeWidth": 1.4, "opacity": 0.8},
            "encoding": {"x": x, "y": y, "color": _colour(theme)},
        },
        {
            "transform": [{"filter": "isValid(datum.y)"}],
            "mark": {"type": "point", "filled": True, "size": 26, "opacity": 1},
            "encoding": {"x": x, "y": y, "color": _colour(theme)},
        },
        {**_broken(theme), "encoding": {"x": x, "y": y}},
        {"transform": [{"filter": "isValid(datum.y)"}], **_ring(theme), "encoding": {"x": x, "y": y}},
        {
            **_data("chosen"),
            "mark": {"type": "rule", "opacity": 0.35, "color": CHOSEN[theme]},
            "encoding": {"x": x},
        },
    ]


def _length(theme: Theme, _live: bool) -> list[Spec]:
    layers = _steps(
        theme, "step length (log scale)", {"type": "log", "nice": False}, {"tickCount": 4, "format": "~g"}, False
    )
    return [{**_data("length"), **layer} for layer in layers]


def _turn(theme: Theme, _live: bool) -> list[Spec]:
    scale = {"domain": [0, 180]}
    layers = _steps(theme, "turning angle (°)", scale, {"values": [0, 45, 90, 135, 180]}, True)
    return [{**_data("turn"), **layer} for layer in layers]


def _layers(theme: Theme, _live: bool) -> list[Spec]:
    x = _number("x1", "position in the lineage", axis=_POSITIONS)
    x |= {"scale": {"nice": False, "zero": False}}
    axis = {"grid": False, "ticks": False, "labelOverlap": True, "labelFontSize": 10}
    y = {"field": "layer", "type": "nominal", "sort": None, "title": None, "axis": axis}
    return [
        {
            **_data("cells"),
            # the stroke closes seams between cells, which make stripes of many narrow ones
            "mark": {"type": "rect", "strokeWidth": 0.7},
            "encoding": {
                "x": x,
                "x2": {"field": "x2"},
                "y": y,
                "fill": _number(
                    "v",
                    "change at one step, of the layer's size",
                    scale={"scheme": "viridis", "zero": False, "nice": False},
                    legend=_PERCENT,
                ),
                "stroke": _number("v", legend=None, scale={"scheme": "viridis", "zero": False, "nice": False}),
            },
        },
        {
            **_data("chosen"),
            "mark": {"type": "rect", "filled": False, "stroke": CHOSEN[theme], "strokeWidth": 2},
            "encoding": {"x": x, "x2": {"field": "x2"}},
        },
    ]


def _ring(theme: Theme) -> Spec:
    mark = {"type": "point", "size": 300, "strokeWidth": 2.4, "filled": False, "color": CHOSEN[theme], "opacity": 1}
    return {**_data("chosen"), "mark": mark}


_CHARTS = {"map": _map, "dendrogram": _dendrogram, "length": _length, "turn": _turn, "layers": _layers}
