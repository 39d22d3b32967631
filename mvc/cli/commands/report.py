"""`mvc report`: everything that mvc knows of a repository as one HTML file."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

import click

from mvc.cli import output
from mvc.cli.messages import hint, paint, warn
from mvc.cli.opening import open_workspace
from mvc.cli.options import Session, json_option, pass_session
from mvc.cli.progress import progress
from mvc.cli.text import count, escape, size
from mvc.porcelain.results.reports import ReportResult


def render(result: ReportResult) -> Iterator[str]:
    """One line for the file, one for what is in it, one for each thing left out."""
    found = f", {count(result.findings, 'finding')}" if result.findings else ""
    commits, lineages = count(result.commits, "commit"), count(result.lineages, "lineage")
    yield f"wrote {escape(result.path)}  {size(result.bytes)}"
    yield f"{commits} in {lineages}; check says {result.verdict}{found}"
    for note in result.notes:
        yield paint(escape(note), "dim")


@click.command()
@click.option(
    "-o",
    "--output",
    "target",
    type=click.Path(),
    metavar="FILE",
    default="report.html",
    help="Where to.  [default: report.html]",
)
@click.option("--method", type=click.Choice(["mds", "umap"]), default="mds", help="How maps are made.  [default: mds]")
@click.option("--open", "opened", is_flag=True, help="Open the page in the browser.")
@json_option
@pass_session
def command(session: Session, target: str, method: str, opened: bool, as_json: bool) -> None:
    """Write one HTML file that needs nothing else: the verdict, the map of all trajectories, the dendrogram with its
    cut, drift along every lineage, layers by steps, and every commit's page. A FILE that is there is replaced. Needs
    the extra modelvc[report]."""
    path = session.path(target)
    with progress("reporting") as told:
        verbs = importlib.import_module("mvc.porcelain.report")  # imports SciPy: after the bar is there
        result: ReportResult = verbs.report(open_workspace(session, told=told), path, method=method, progress=told)
    if as_json:
        output.emit_json(result, "report")
    else:
        output.emit_lines(render(result))
    warn(result.warnings)
    if opened:
        importlib.import_module("webbrowser").open(path.absolute().as_uri())
    elif not as_json:
        hint("look at it with: mvc report --open, or in any browser")
