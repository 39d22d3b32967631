"""`mvc diff`: how far two models are apart, and in which tensors or layers."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

import click

from mvc.cli import completing, output
from mvc.cli.messages import paint
from mvc.cli.opening import open_workspace
from mvc.cli.options import Session, json_option, layer_options, pass_session, tensor_option
from mvc.cli.progress import progress
from mvc.cli.text import bar, columns, count, escape, fit_name, number, pad, percent, width
from mvc.porcelain.diff import diff
from mvc.porcelain.results.diffs import CourseResult, DiffResult, LayerDiff, TensorDiff

#: rows shown before the rest is summed up
ROWS = 40
#: a tensor in which at most this share of the values changed is said to have changed in few
FEW = 0.1
_STYLE = {"added": "good", "removed": "bad", "reshaped": "warn", "recast": "warn", "changed": "bar", "identical": "dim"}


def render(result: DiffResult, room: int, *, by: str | None = None, rows: int | None = ROWS) -> Iterator[str]:
    """Tensors or layers by share of the squared distance, then the whole, as `git diff --stat` ends.

    ``by`` "tensor" or "layer"; None: layers where there are more tensors than ``rows``, unless all are asked for.
    """
    changed = [row for row in result.tensors if row.status != "identical"]
    layers = [layer for layer in result.layers if layer.identical < layer.tensors]
    if by is None:
        by = "layer" if rows is not None and len(changed) > rows and len(layers) < len(changed) else "tensor"
    listed: Sequence[TensorDiff | LayerDiff] = changed if by == "tensor" else layers
    shown = listed if rows is None else listed[:rows]
    yield from _table(shown, room)
    if len(listed) > len(shown):
        rest = sum(row.share or 0.0 for row in listed[len(shown) :])
        yield paint(f" … {len(listed) - len(shown):,} more, {percent(rest)} of the change (--all shows them)", "dim")
    if by == "layer":
        yield paint(f" ({count(len(layers), 'layer')}; --by tensor lists what is in them)", "dim")
    yield from _spectra([row for row in changed if row.spectra][:rows], room)
    if changed:
        yield ""
    yield from _summary(result, changed, room)


def _table(rows: Sequence[TensorDiff | LayerDiff], room: int) -> Iterator[str]:
    notes = [_note(row) for row in rows]
    noted = (width(text) for row, (text, _) in zip(rows, notes, strict=True) if text and row.distance is not None)
    beside = 34 + max((2 + columns for columns in noted), default=0)
    names = [fit_name(escape(row.name), max(16, room - beside)) for row in rows]
    widest = max((width(name) for name in names), default=0)
    largest = max((row.share or 0.0 for row in rows), default=0.0)
    for name, row, (text, style) in zip(names, rows, notes, strict=True):
        figures = ""
        if row.distance is not None:
            share = pad("" if row.share is None else percent(row.share), 6, right=True)
            relative = pad(number(row.relative_distance), 8, right=True)
            figures = f"{share} {paint(bar(row.share, largest, 10), 'bar')} {relative} rel  "
        yield f" {pad(name, widest)}  {figures}{paint(text, style)}".rstrip()


def _note(row: TensorDiff | LayerDiff) -> tuple[str, str]:
    """What is special about a row, and its style."""
    if isinstance(row, LayerDiff):
        same = f", {row.identical:,} identical" if row.identical else ""
        return f"{count(row.tensors, 'tensor')}{same}", "dim"
    if row.distance is None:
        return f"{row.status}, {count(row.numel, 'value')}", _STYLE[row.status]
    if row.nonfinite:
        return f"{row.nonfinite:,} not finite", "bad"
    words: list[str] = [] if row.status == "changed" else [row.status]
    if row.matched is not None:
        words.append(f"units moved: {number(row.matched, 2)} left")
    elif _few(row):
        words.append(f"{row.changed:,} of {count(row.numel, 'value')}")
    elif row.rank is not None:
        words.append(f"rank {row.rank}")
    return ", ".join(words), "warn" if row.status == "recast" else "head"


def _few(row: TensorDiff) -> bool:
    return row.changed is not None and 0 < row.changed <= FEW * row.numel


def _spectra(rows: Sequence[TensorDiff], room: int) -> Iterator[str]:
    """Spectral norms and stable ranks of matrices."""
    if not rows:
        return
    yield ""
    table = [("matrix", "spectral norm", "stable rank", "of change", "rank")]
    for row in rows:
        assert row.spectra is not None
        before, after, change = row.spectra.before, row.spectra.after, row.spectra.change
        norms = f"{number(before.spectral_norm)} → {number(after.spectral_norm)}"
        ranks = f"{number(before.stable_rank)} → {number(after.stable_rank)}"
        table.append((escape(row.name), norms, ranks, number(change.spectral_norm), number(change.stable_rank)))
    beside = sum(2 + max(width(line[i]) for line in table) for i in range(1, 5))
    head, *lines = columns([(fit_name(name, max(16, room - 1 - beside)), *rest) for name, *rest in table], right=(3, 4))
    yield f" {paint(head, 'dim')}"
    yield from (f" {line}" for line in lines)


def _summary(result: DiffResult, changed: Sequence[TensorDiff], room: int) -> Iterator[str]:
    largest = max((row.max_abs or 0.0 for row in changed), default=0.0)
    known = all(row.max_abs is not None or row.distance is None for row in changed)
    yield _counts(result) + (f" · largest change {number(largest)}" if largest and known else "")
    yield from _kinds(changed)
    if result.coverage < 1:
        values = count(result.compared, "value")
        yield f"compared on what both share: {values}, {percent(result.coverage)} of the smaller model"
    yield (
        f"distance {paint(number(result.distance), 'head')}"
        f" · relative {number(result.relative_distance)} · cosine {number(result.cosine, 4)}"
        + (f" · {paint(number(result.steps, 2), 'head')} median steps" if result.steps is not None else "")
    )
    if result.moved is not None:
        moved = result.moved
        yield (
            f"{paint('units permuted', 'warn')}: {moved.moved:,} of {moved.units:,}; put back: "
            f"distance {paint(number(moved.distance), 'head')} · relative {number(moved.relative_distance)}"
            f" · cosine {number(moved.cosine, 4)}"
        )
    if result.course is not None and (path := _path(result.course, result.distance)):
        yield path
    bad = sum(row.nonfinite for row in result.tensors)
    if bad:
        yield paint(f"{count(bad, 'value')} not finite, left out of all distances", "bad")
    if result.unseen or not result.exact:
        yield from textwrap.wrap(_kept(result), room)
    if result.verdict:
        yield from textwrap.wrap(escape(result.verdict), room)


def _kept(result: DiffResult) -> str:
    """That weights were not read, what that leaves open, and how to have them read."""
    said = "from the figures kept at commit" if result.exact else "estimates from the sketches kept at commit"
    error = f" (distance ±{percent(result.error)})" if result.error else ""
    unseen = f", without a look at what is {' or '.join(result.unseen)}" if result.unseen else ""
    return f"{said}{error}{unseen}; read the weights with --exact"


def _kinds(changed: Sequence[TensorDiff]) -> Iterator[str]:
    """What the changes of single tensors have in common."""
    ranks = sorted(row.rank for row in changed if row.rank is not None and not _few(row))
    if ranks:
        span = f"rank {ranks[0]}" if ranks[0] == ranks[-1] else f"ranks {ranks[0]} to {ranks[-1]}"
        where = f"{len(ranks):,} of {count(len(changed), 'changed tensor')}"
        yield f"{paint('low rank', 'head')}: the change of {where} has {span}, as a merged adapter's"
    few = [row for row in changed if _few(row)]
    if few:
        values, all_ = sum(row.changed or 0 for row in few), sum(row.numel for row in few)
        where = f"{len(few):,} of {count(len(changed), 'changed tensor')}"
        yield f"{paint('sparse', 'head')}: in {where} only {values:,} of {count(all_, 'value')} changed"


def _path(course: CourseResult, distance: float) -> str:
    """How straight the way between two commits of one trajectory is."""
    if course.path is None or course.apart is None or course.apart < 2 or not course.path:
        return ""
    straight, walk = distance / course.path, course.apart**-0.5
    steps = f"{course.apart} steps of {number(course.path)} together"
    return f"{steps}: {straight:.2f} straight, where a random walk would be {walk:.2f}"


def _counts(result: DiffResult) -> str:
    counts: dict[str, int] = {}
    for row in result.tensors:
        counts[row.status] = counts.get(row.status, 0) + 1
    words = ", ".join(f"{number:,} {status}" for status, number in counts.items())
    return f"{count(len(result.tensors), 'tensor')}: {words}" if words else "no tensors"


@click.command()
@click.argument("a", metavar="A", shell_complete=completing.models)
@click.argument("b", metavar="B", shell_complete=completing.models)
@tensor_option
@layer_options
@click.option("--spectra", is_flag=True, help="Also spectral norm and stable rank of each matrix and its change.")
@click.option("--exact", is_flag=True, help="Read large models instead of what is kept of them.")
@click.option("--all", "everything", is_flag=True, help="List every row.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 if the models differ.")
@json_option
@pass_session
def command(
    session: Session,
    a: str,
    b: str,
    tensor: str | None,
    by: str | None,
    depth: int | None,
    spectra: bool,
    exact: bool,
    everything: bool,
    exit_code: bool,
    as_json: bool,
) -> int:
    """Show how far apart A and B are: overall, in steps of the lineage, and tensor by tensor.

    A and B are revisions or checkpoint files.
    """
    with progress("comparing") as report:
        result = diff(
            open_workspace(session, told=report),
            a,
            b,
            tensor=tensor,
            depth=depth,
            spectra=spectra,
            exact=exact,
            directory=session.directory,
            progress=report,
        )
    if as_json:
        output.emit_json(result, "diff")
    else:
        by = "layer" if by is None and depth is not None else by
        lines = render(result, output.text_width(), by=by, rows=None if everything else ROWS)
        output.emit_lines(lines, paged=True)
    return int(exit_code and any(row.status != "identical" for row in result.tensors))
