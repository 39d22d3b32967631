"""`mvc diff`: how far two models are apart, and in which tensors."""

from __future__ import annotations

from collections.abc import Iterator

import click

from mvc.cli import completing, output
from mvc.cli.messages import paint
from mvc.cli.opening import open_workspace
from mvc.cli.options import Session, json_option, pass_session, tensor_option
from mvc.cli.text import bar, count, escape, fit, number, pad, percent, width
from mvc.porcelain.diff import diff
from mvc.porcelain.results import DiffResult, TensorDiff

#: rows shown before the rest is summed up
ROWS = 40
_STYLE = {"added": "good", "removed": "bad", "reshaped": "warn", "recast": "warn", "changed": "bar", "identical": "dim"}


def render(result: DiffResult, columns: int, rows: int | None = ROWS) -> Iterator[str]:
    """Tensors by share of the squared distance, then the whole, as `git diff --stat` ends."""
    changed = [row for row in result.tensors if row.status != "identical"]
    shown = changed if rows is None else changed[:rows]
    names = [fit(escape(row.name), max(16, columns - 46), keep="both") for row in shown]
    widest = max((width(name) for name in names), default=0)
    largest = max((row.share or 0.0 for row in shown), default=0.0)
    for name, row in zip(names, shown, strict=True):
        yield f" {pad(name, widest)}  {_figures(row, largest)}".rstrip()
    if len(changed) > len(shown):
        rest = sum(row.share or 0.0 for row in changed[len(shown) :])
        yield paint(f" … {len(changed) - len(shown):,} more, {percent(rest)} of the change (--all shows them)", "dim")
    if changed:
        yield ""
    yield _counts(result)
    if result.coverage < 1:
        values = count(result.compared, "value")
        yield f"compared on what both share: {values}, {percent(result.coverage)} of the smaller model"
    yield (
        f"distance {paint(number(result.distance), 'head')}"
        f" · relative {number(result.relative_distance)} · cosine {number(result.cosine, 4)}"
        + (f" · {paint(number(result.steps, 2), 'head')} median steps" if result.steps is not None else "")
    )
    bad = sum(row.nonfinite for row in result.tensors)
    if bad:
        yield paint(f"{count(bad, 'value')} not finite, left out of all distances", "bad")
    if result.verdict:
        yield escape(result.verdict)


def _figures(row: TensorDiff, largest: float) -> str:
    if row.distance is None:
        return f"{paint(row.status, _STYLE[row.status])}  {count(row.numel, 'value')}"
    share = pad("" if row.share is None else percent(row.share), 7, right=True)
    kind = "" if row.status == "changed" else f"  {paint(row.status, _STYLE[row.status])}"
    bad = f"  {paint(f'{row.nonfinite:,} not finite', 'bad')}" if row.nonfinite else ""
    relative = pad(number(row.relative_distance), 8, right=True)
    return f"{share} {paint(bar(row.share, largest, 10), 'bar')}  {relative} rel{kind}{bad}"


def _counts(result: DiffResult) -> str:
    counts: dict[str, int] = {}
    for row in result.tensors:
        counts[row.status] = counts.get(row.status, 0) + 1
    words = ", ".join(f"{number:,} {status}" for status, number in counts.items())
    return f"{count(len(result.tensors), 'tensor')}: {words}" if words else "no tensors"


@click.command()
@click.argument("a", metavar="A", shell_complete=completing.revisions)
@click.argument("b", metavar="B", shell_complete=completing.revisions)
@tensor_option
@click.option("--all", "everything", is_flag=True, help="List every changed tensor.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 if the models differ.")
@json_option
@pass_session
def command(
    session: Session, a: str, b: str, tensor: str | None, everything: bool, exit_code: bool, as_json: bool
) -> int:
    """Show how far apart A and B are: overall, in steps of the lineage, and tensor by tensor.

    A and B are revisions or checkpoint files.
    """
    result = diff(open_workspace(session), a, b, tensor=tensor, directory=session.directory)
    if as_json:
        output.emit_json(result, "diff")
    else:
        output.emit_lines(render(result, output.text_width(), None if everything else ROWS), paged=True)
    return int(exit_code and any(row.status != "identical" for row in result.tensors))
