"""`mvc blame`: for every tensor the commit that last changed it, and where its displacement comes from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from mvc.cli import completing, output
from mvc.cli.messages import paint
from mvc.cli.opening import open_workspace
from mvc.cli.options import Session, json_option, pass_session, tensor_option
from mvc.cli.text import count, escape, fit, pad, percent, short, width
from mvc.porcelain.blame import blame
from mvc.porcelain.results import BlameResult, Contribution, TensorBlame

#: contributions named in a row
NAMED = 2


def render(result: BlameResult, columns: int) -> Iterator[str]:
    """One row a tensor in file order, as git blame keeps the file's order; then who last changed how many."""
    names = [fit(escape(row.name), max(16, columns - 46), keep="both") for row in result.tensors]
    widest = max((width(name) for name in names), default=0)
    for name, row in zip(names, result.tensors, strict=True):
        parts = paint(_contributions(row.contributions), "dim")
        yield f"{paint(short(row.commit), 'id')}  {pad(name, widest)}  {parts}".rstrip()
    if result.tensors:
        yield ""
    yield from _summary(result.tensors)


def _contributions(parts: Sequence[Contribution]) -> str:
    largest = sorted(parts, key=lambda part: -abs(part.share))
    words = " ".join(f"{short(part.commit)} {percent(part.share)}" for part in largest[:NAMED])
    return f"{words} +{len(largest) - NAMED}" if len(largest) > NAMED else words


def _summary(rows: Sequence[TensorBlame]) -> Iterator[str]:
    last: dict[str, list[TensorBlame]] = {}
    for row in rows:
        last.setdefault(row.commit, []).append(row)
    for commit, held in sorted(last.items(), key=lambda item: -len(item[1])):
        values = count(sum(row.numel for row in held), "value")
        words = "unchanged since" if held[0].relation == "starts" else "last changed in"
        yield f"{count(len(held), 'tensor')} ({values}) {words} {paint(short(commit), 'id')}"


@click.command()
@click.argument("revision", metavar="REV|PATH", shell_complete=completing.revisions)
@tensor_option
@json_option
@pass_session
def command(session: Session, revision: str, tensor: str | None, as_json: bool) -> None:
    """Show, for every weight tensor of REV, the commit of its trajectory (across forks, back to the root) that last
    changed it, and how much of its displacement since then each commit contributed."""
    result = blame(open_workspace(session), revision, tensor=tensor, directory=session.directory)
    if as_json:
        output.emit_json(result, "blame")
    else:
        output.emit_lines(render(result, output.text_width()), paged=True)
