"""`mvc blame`: for every tensor the commit that last changed it, and where its displacement comes from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import click

from mvc.cli import completing, output
from mvc.cli.messages import paint
from mvc.cli.opening import open_workspace
from mvc.cli.options import Session, json_option, layer_options, pass_session, tensor_option
from mvc.cli.progress import progress
from mvc.cli.text import count, escape, fit, fit_name, pad, percent, short, spark, width
from mvc.porcelain.blame import blame
from mvc.porcelain.comparing import layer_of
from mvc.porcelain.results.blames import BlamedCommit, BlameResult, TensorBlame

#: rows above which tensors are shown by layer
ROWS = 40
#: contributions named in a row, columns of the trajectory, and a share that is not worth a column
NAMED, COLUMNS, LEAST = 2, 16, 0.005


@dataclass(frozen=True)
class Row:
    """Tensors of one layer that one commit changed last, or a single tensor; ``shares`` by commit as of one vector."""

    name: str
    commit: str
    shares: Mapping[str, float]


def render(result: BlameResult, room: int, *, by: str | None = None, depth: int | None = None) -> Iterator[str]:
    """One row a tensor in file order, as git blame keeps the file's order, or a layer where there are many tensors or
    ``by`` says so; then who last changed how many."""
    rows = _rows(result.tensors, by, depth)
    spans = _spans(result.trajectory)
    places = {point.commit: point for point in result.trajectory}
    shares = [_named(row.shares, places) for row in rows]
    beside = 8 + 2 + 2 + len(spans) + 2 + max((width(text) for text in shares), default=0)
    names = [fit_name(escape(row.name), max(16, room - beside)) for row in rows]
    widest = max((width(name) for name in names), default=0)
    if spans and any(row.shares for row in rows):
        yield paint(f"{' ' * 10}{pad('', widest)}  {_axis(result.trajectory, spans)}", "dim")
    for name, row, text in zip(names, rows, shares, strict=True):
        drawn = paint(pad(_drawn(row.shares, spans), len(spans)), "bar")
        yield f"{paint(_id(row.commit, places), 'id')}  {pad(name, widest)}  {drawn}  {paint(text, 'dim')}".rstrip()
    if result.tensors:
        yield ""
    yield from _summary(result, places)


def _rows(tensors: Sequence[TensorBlame], by: str | None, depth: int | None) -> list[Row]:
    if by == "tensor" or (by is None and depth is None and len(tensors) <= ROWS):
        return [_row(tensor.name, [tensor]) for tensor in tensors]
    if by == "layer" or depth is not None:
        return _layers(tensors, depth)
    deepest = max(sum(char in "./" for char in tensor.name) for tensor in tensors)
    found = _layers(tensors, None)
    for level in range(deepest, 0, -1):
        if len(found) <= ROWS:
            break
        found = _layers(tensors, level)
    return found


def _layers(tensors: Sequence[TensorBlame], depth: int | None) -> list[Row]:
    held: dict[tuple[str, str], list[TensorBlame]] = defaultdict(list)
    for tensor in tensors:
        held[layer_of(tensor.name, depth), tensor.commit].append(tensor)
    return [_row(own[0].name if len(own) == 1 else f"{name} ({len(own)})", own) for (name, _), own in held.items()]


def _row(name: str, tensors: Sequence[TensorBlame]) -> Row:
    shares: dict[str, float] = defaultdict(float)
    squares = [(tensor.displacement or 0.0) ** 2 for tensor in tensors]
    total = sum(squares)
    for tensor, squared in zip(tensors, squares, strict=True):
        for part in tensor.contributions:
            shares[part.commit] += part.share * squared / total
    return Row(name, tensors[0].commit, shares)


def _spans(trajectory: Sequence[BlamedCommit]) -> list[list[str]]:
    """Commits after the root in at most COLUMNS neighbouring lots, all equal but the last."""
    later = [point.commit for point in trajectory[1:]]
    size = -(-len(later) // COLUMNS) or 1
    return [later[start : start + size] for start in range(0, len(later), size)]


def _axis(trajectory: Sequence[BlamedCommit], spans: Sequence[Sequence[str]]) -> str:
    size = len(spans[0])
    each = "a column is a commit" if size == 1 else f"a column is {size} commits"
    return f"{each}, from {short(trajectory[0].commit)} on"


def _drawn(shares: Mapping[str, float], spans: Sequence[Sequence[str]]) -> str:
    values = [sum(shares.get(commit, 0.0) for commit in span) for span in spans]
    return spark([0.0 if abs(value) < LEAST else value for value in values])


def _named(shares: Mapping[str, float], places: Mapping[str, BlamedCommit]) -> str:
    largest = sorted(shares.items(), key=lambda item: -abs(item[1]))
    words = " ".join(f"{_id(commit, places)} {percent(round(share, 5))}" for commit, share in largest[:NAMED])
    return f"{words} +{len(largest) - NAMED}" if len(largest) > NAMED else words


def _id(commit: str, places: Mapping[str, BlamedCommit]) -> str:
    """A commit's first digits; the end of the path of a file that is none."""
    place = places.get(commit)
    return short(commit) if place is None or place.lineage is not None else pad(fit(escape(commit), 8), 8)


def _summary(result: BlameResult, places: Mapping[str, BlamedCommit]) -> Iterator[str]:
    last: dict[str, list[TensorBlame]] = {}
    for row in result.tensors:
        last.setdefault(row.commit, []).append(row)
    for commit, held in sorted(last.items(), key=lambda item: -len(item[1])):
        values = count(sum(row.numel for row in held), "value")
        words = "unchanged since" if held[0].relation == "starts" else "last changed in"
        place = places.get(commit)
        where = "" if place is None or place.lineage is None else f" {escape(place.lineage)}@{place.position}"
        yield f"{count(len(held), 'tensor')} ({values}) {words} {paint(_id(commit, places).strip(), 'id')}{where}"
    error = max((part.error for row in result.tensors for part in row.contributions), default=0.0)
    if error:
        yield paint(f"shares of large tensors are from sketches, ± {percent(error)} (--exact reads them)", "dim")
    if result.cut:
        words = f"shares before {short(result.cut[-1])} cannot be told exactly: its tensors were given up"
        yield paint(f"{words} (without --exact they are estimated)", "dim")


@click.command()
@click.argument("revision", metavar="REV|PATH", shell_complete=completing.models)
@tensor_option
@layer_options
@click.option("--exact", is_flag=True, help="Read large tensors for their shares, where sketches would do.")
@json_option
@pass_session
def command(
    session: Session, revision: str, tensor: str | None, by: str | None, depth: int | None, exact: bool, as_json: bool
) -> None:
    """Show, for every weight tensor of REV, the commit that last changed it, and how much of its displacement since the
    root each commit contributed: along its trajectory, across forks, and through averages by the sources' weights."""
    with progress("blaming") as report:
        result = blame(
            open_workspace(session, told=report),
            revision,
            tensor=tensor,
            exact=exact,
            directory=session.directory,
            progress=report,
        )
    if as_json:
        output.emit_json(result, "blame")
    else:
        output.emit_lines(render(result, output.text_width(), by=by, depth=depth), paged=True)
