"""One picture of a repository as a file. Owns which picture is meant; its data is the report's."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from mvc.errors import InputError
from mvc.porcelain.reporting.drift import draw_drift
from mvc.porcelain.reporting.layers import draw_layers
from mvc.porcelain.reporting.maps import Method, all_of, draw_map
from mvc.porcelain.reporting.stock import Stock
from mvc.porcelain.reporting.targets import require_writable
from mvc.porcelain.reporting.trees import draw_tree
from mvc.porcelain.results.reports import PlotResult
from mvc.porcelain.revisions import find_lineage
from mvc.porcelain.workspace import Workspace
from mvc.report import Picture, Theme, export_picture, require_library
from mvc.storage import REAL, atomic_write

PictureName = Literal["map", "dendrogram", "drift", "layers"]
#: forms of a file, by how its name ends
FORMS = ("svg", "png")


def plot(
    workspace: Workspace,
    kind: PictureName,
    revision: str | None,
    target: Path,
    *,
    method: Method = "mds",
    theme: Theme = "light",
) -> PlotResult:
    """Writes the picture to ``target``, whose name says the form; what stands there is replaced.

    ``revision`` names a lineage or a commit in it: of a map its family, of a dendrogram its architecture. Without one
    the map and the dendrogram are of the architecture with most commits, the others of the longest lineage. Raises
    InputError, NotFoundError.
    """
    form = target.suffix.lower().removeprefix(".")
    if form not in FORMS:
        message = f"{target.name!r} says no form: a picture is an .svg or a .png"
        raise InputError(message, hint=f"run: mvc plot {kind} -o {kind}.svg")
    require_library()
    require_writable(target)
    stock = Stock.of(workspace)
    if not stock.commits:
        raise InputError("there is nothing to draw: no commit has weights", hint="run: mvc commit PATH")
    picture = _picture(stock, kind, revision, method)
    if picture is None:
        raise InputError(f"there is no {kind} to draw of so few commits", hint="see what there is with: mvc log")
    data = export_picture(picture, form, theme)
    atomic_write(REAL, target, (data,), overwrite=True)
    names = tuple(stock.lineages[number].name for number in picture.lineages)
    return PlotResult(str(target), len(data), kind, picture.title, picture.note, names, dict(picture.facts))


def _picture(stock: Stock, kind: PictureName, revision: str | None, method: Method) -> Picture | None:
    lineage = _lineage(stock, revision)
    architecture = stock.lineages[0 if lineage is None else lineage].architecture
    if kind == "dendrogram":
        return draw_tree(stock, architecture)
    if kind == "map":
        whole = [i for i, row in enumerate(stock.lineages) if row.architecture == architecture]
        family = next((group for group in stock.families() if lineage in group), None)
        if sum(len(stock.members[i]) for i in family or whole) < 2:
            return None
        return draw_map(stock, family, method) if family else draw_map(stock, whole, method, all_of(stock, whole))
    longest = max(range(len(stock.lineages)), key=lambda i: (len(stock.members[i]), -i))
    draw = draw_drift if kind == "drift" else draw_layers
    return draw(stock, longest if lineage is None else lineage)


def _lineage(stock: Stock, revision: str | None) -> int | None:
    if revision is None:
        return None
    found = stock.workspace.read(lambda connection: find_lineage(connection, revision))
    return next(i for i, row in enumerate(stock.lineages) if row.id == found.id)
