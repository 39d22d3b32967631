"""The dendrogram: single linkage of an architecture's commits by kinship, and where families were cut. Owns its rows;
the tree and the cut are those that lineages were inferred by.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mvc.porcelain.forest import read_kin
from mvc.porcelain.reporting.stock import Stock
from mvc.report import Picture, Table, colour
from mvc.report.palette import BETWEEN
from mvc.trajectory.dendrograms import Dendrogram, lay_out_dendrogram
from mvc.trajectory.kinship import Forest


def draw_trees(stock: Stock) -> tuple[Picture, ...]:
    """One dendrogram of each architecture with two points or more, in the log's order."""
    found = (draw_tree(stock, name) for name in dict.fromkeys(row.architecture for row in stock.lineages))
    return tuple(picture for picture in found if picture is not None)


def draw_tree(stock: Stock, architecture: str) -> Picture | None:
    """None where there is nothing to join."""
    row = stock.architectures[architecture]
    kin = stock.workspace.read(lambda connection: read_kin(connection, row))
    if kin is None or len(kin.keys) < 2:
        return None
    first: dict[str, int] = {}
    for number, content in enumerate(stock.contents):
        first.setdefault(content, number)
    numbers = [first[key] for key in kin.keys]
    forest = kin.forest
    heights = np.clip(1.0 - forest.links, 0.0, None)
    drawn = lay_out_dendrogram(forest.edges, heights)
    below = _colours(stock, forest, numbers)
    needed = 1.0 - np.minimum(forest.certain, forest.limit * forest.null)
    low, high = float(needed.min()), float(needed.max())
    families = 1 + int((~forest.kept).sum())
    lineages = tuple(sorted({stock.home[number] for number in numbers}))
    span = f"{low:.2f}" if high - low < 0.005 else f"{low:.2f} to {high:.2f}"
    families_said = _many(families, "family", "families")
    note = (
        f"Which checkpoints are related: the higher the link, the less they share. {families_said}, "
        f"{_many(len(lineages), 'lineage', 'lineages')}. Dashed links, above the cut ({span}), join strangers; grey "
        f"ones join lineages of a family. Single linkage of {len(numbers):,} distinct points by the cosine of what "
        f"training left of their initial values."
    )
    tables = {
        "leaves": _leaves(stock, drawn, numbers),
        "merges": _merges(drawn, below, ~forest.kept),
        "cut": Table({"low": [round(low, 5)], "high": [round(high, 5)]}),
    }
    tensors = _many(row.tensors, "tensor", "tensors")
    title = f"{_many(len(lineages), 'lineage', 'lineages')} of {row.weights:,} weights in {tensors}"
    return Picture("dendrogram", title, note, tables, lineages, {"families": families})


def _many(count: int, one: str, several: str) -> str:
    return f"{count} {one if count == 1 else several}"


def _leaves(stock: Stock, drawn: Dendrogram, numbers: list[int]) -> Table:
    ordered = [numbers[i] for i in drawn.order.tolist()]
    return Table(
        {
            "c": ordered,
            "x": list(range(len(ordered))),
            "y": [0] * len(ordered),
            "colour": [stock.colour(number) for number in ordered],
        }
    )


def _merges(drawn: Dendrogram, colours: list[int], cut: npt.NDArray[np.bool_]) -> Table:
    return Table(
        {
            "x": drawn.left.round(2).tolist(),
            "x2": drawn.right.round(2).tolist(),
            "y": drawn.heights.round(5).tolist(),
            "y1": drawn.below[:, 0].round(5).tolist(),
            "y2": drawn.below[:, 1].round(5).tolist(),
            "colour": colours,
            "cut": cut.tolist(),
        }
    )


def _colours(stock: Stock, forest: Forest, numbers: list[int]) -> list[int]:
    """Of each merge: its lineage's where all below it are of one."""
    owner = [stock.home[number] for number in numbers]  # of each cluster's root: its one lineage, or -1
    root = list(range(len(numbers)))
    found = []
    for a, b in forest.edges.tolist():
        while root[a] != a:
            root[a] = a = root[root[a]]
        while root[b] != b:
            root[b] = b = root[root[b]]
        root[b] = a
        owner[a] = owner[a] if owner[a] == owner[b] else -1
        found.append(BETWEEN if owner[a] < 0 else colour(owner[a]))
    return found
