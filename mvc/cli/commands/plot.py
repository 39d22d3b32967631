"""`mvc plot`: one picture of the report as a file, for papers and READMEs."""

from __future__ import annotations

import importlib

import click

from mvc.cli import completing, output
from mvc.cli.messages import paint
from mvc.cli.opening import open_workspace
from mvc.cli.options import Session, json_option, pass_session
from mvc.cli.progress import progress
from mvc.cli.text import escape, size
from mvc.porcelain.results.reports import PlotResult


@click.command()
@click.argument("kind", type=click.Choice(["map", "dendrogram", "drift", "layers"]))
@click.argument("revision", required=False, metavar="[REV|LINEAGE]", shell_complete=completing.revisions)
@click.option(
    "-o",
    "--output",
    "target",
    type=click.Path(),
    metavar="FILE.{svg,png}",
    required=True,
    help="Where to, and in what form.",
)
@click.option(
    "--method", type=click.Choice(["mds", "umap"]), default="mds", help="How the map is made.  [default: mds]"
)
@click.option("--dark", is_flag=True, help="Draw on a dark ground.")
@json_option
@pass_session
def command(
    session: Session, kind: str, revision: str | None, target: str, method: str, dark: bool, as_json: bool
) -> None:
    """Draw one picture of the report: the map or the dendrogram of the largest architecture, or of REV's family; the
    drift or the layers of the longest lineage, or of REV's. A FILE that is there is replaced. Needs the extra
    modelvc[report]."""
    with progress("drawing") as told:
        verbs = importlib.import_module("mvc.porcelain.plot")  # imports SciPy: after the bar is there
        theme = "dark" if dark else "light"
        result: PlotResult = verbs.plot(
            open_workspace(session, told=told), kind, revision, session.path(target), method=method, theme=theme
        )
    if as_json:
        output.emit_json(result, "plot")
        return
    output.emit_lines([f"wrote {escape(result.path)}  {size(result.bytes)}", paint(escape(result.note), "dim")])
