"""The report of a repository: one HTML file. Owns bringing its parts together; each is gathered in `reporting`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mvc.errors import InputError
from mvc.porcelain.progress import Report, silent
from mvc.porcelain.reporting.drift import draw_drift
from mvc.porcelain.reporting.layers import CELLS, draw_layers
from mvc.porcelain.reporting.maps import Method, draw_maps
from mvc.porcelain.reporting.pages import make_pages
from mvc.porcelain.reporting.stock import Stock
from mvc.porcelain.reporting.targets import require_writable
from mvc.porcelain.reporting.trees import draw_trees
from mvc.porcelain.reporting.verdict import as_verdict, judge
from mvc.porcelain.results.checks import CheckResult
from mvc.porcelain.results.reports import ReportResult
from mvc.porcelain.workspace import Workspace
from mvc.report import ReportData, Table, colour, render, require_library
from mvc.storage import REAL, atomic_write


def report(workspace: Workspace, target: Path, *, method: Method = "mds", progress: Report = silent) -> ReportResult:
    """Writes the report to ``target``, whole or not at all; what stands there is replaced.

    Raises InputError for a repository without commits, and where the extra `report` is missing.
    """
    require_library()
    require_writable(target)
    stock = Stock.of(workspace)
    if not stock.commits:
        raise InputError("there is nothing to report: no commit has weights", hint="run: mvc commit PATH")
    data, result = gather(stock, method, progress)
    progress(6, 6, "writing the page")
    page = render(data)
    atomic_write(REAL, target, (page,), overwrite=True)
    return ReportResult(
        path=str(target),
        bytes=len(page),
        verdict=result.verdict,
        findings=len(result.findings),
        commits=len(stock.commits),
        lineages=len(stock.lineages),
        pages=len(data.pages),
        notes=data.notes,
        warnings=tuple(workspace.warnings),
    )


def gather(stock: Stock, method: Method = "mds", progress: Report = silent) -> tuple[ReportData, CheckResult]:
    """Everything that the page shows, and what `check` said."""
    lineages = range(len(stock.lineages))
    progress(0, 6, "judging commits")
    result = judge(stock, lambda done, total, what: progress(done, total, f"judging {what}"))
    progress(1, 6, "drawing maps")
    maps = draw_maps(stock, method)
    progress(2, 6, "drawing dendrograms")
    trees = draw_trees(stock)
    progress(3, 6, "drawing drift")
    drift = tuple(draw_drift(stock, lineage) for lineage in lineages)
    progress(4, 6, "drawing layers")
    cells = CELLS // max(1, len(stock.commits))
    layers = tuple(draw_layers(stock, lineage, cells * len(stock.members[lineage])) for lineage in lineages)
    progress(5, 6, "writing commits' pages")
    judged = {stock.numbers[row.id]: row for row in result.commits if row.id is not None}
    pages = make_pages(stock, judged.keys())
    commits = _commits(stock, {number: (row.verdict, row.score, row.reason) for number, row in judged.items()})
    head = {
        "name": stock.workspace.repository.root.absolute().name,
        "operation": stock.workspace.repository.head(),
        "newest": max((commit.time for commit in stock.commits), default=""),
        "commits": len(stock.commits),
        "lineages": len(stock.lineages),
        "architectures": len({row.architecture for row in stock.lineages}),
    }
    verdict = as_verdict(stock, result)
    rows = _lineages(stock)
    data = ReportData(head, verdict, rows, commits, maps, trees, drift, layers, pages, tuple(stock.notes))
    return data, result


def _lineages(stock: Stock) -> Table:
    rows = stock.lineages
    origins = [None if row.forked_from is None else stock.numbers.get(row.forked_from.commit) for row in rows]
    return Table(
        {
            "id": [row.id for row in rows],
            "name": [row.name for row in rows],
            "colour": [colour(number) for number in range(len(rows))],
            "weights": [row.weights for row in rows],
            "tensors": [row.tensors for row in rows],
            "architecture": [row.architecture for row in rows],
            "origin": origins,
            "fork": [None if row.forked_from is None else round(row.forked_from.confidence, 4) for row in rows],
            "direction": [row.direction.source for row in rows],
            "sure": [round(row.direction.confidence, 4) for row in rows],
            "first": [members[0] for members in stock.members],
            "size": [len(members) for members in stock.members],
        }
    )


def _commits(stock: Stock, judged: dict[int, tuple[str, float | None, str]]) -> Table:
    rows = stock.commits
    unjudged = (None, None, "")
    found: list[tuple[Any, float | None, str]] = [judged.get(number, unjudged) for number in range(len(rows))]
    return Table(
        {
            "id": [row.id for row in rows],
            "lineage": list(stock.home),
            "position": [row.position for row in rows],
            "relation": [row.relation for row in rows],
            "path": [row.path for row in rows],
            "message": [row.message for row in rows],
            "time": [row.time for row in rows],
            "step": [row.step for row in rows],
            "run": [row.run for row in rows],
            "tags": [list(row.tags) for row in rows],
            "parent": [None if row.parent is None else stock.numbers.get(row.parent) for row in rows],
            "confidence": [round(row.confidence, 4) for row in rows],
            "distance": [None if row.distance is None else float(f"{row.distance:.5g}") for row in rows],
            "angle": [None if row.turning_angle is None else round(row.turning_angle, 1) for row in rows],
            "flags": [list(row.flags) for row in rows],
            "mixture": [
                [
                    [stock.numbers[part.commit], round(part.weight, 4)]
                    for part in row.mixture
                    if part.commit in stock.numbers
                ]
                for row in rows
            ],
            "evidence": [dict(row.evidence) for row in rows],
            "verdict": [verdict for verdict, _, _ in found],
            "score": [None if score is None else round(score, 2) for _, score, _ in found],
            "reason": [reason for _, _, reason in found],
        }
    )
