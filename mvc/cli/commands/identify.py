"""`mvc identify`: which committed model a file is or descends from."""

from __future__ import annotations

from collections.abc import Iterator

import click

from mvc.cli import output
from mvc.cli.messages import paint, warn
from mvc.cli.opening import open_workspace
from mvc.cli.options import Session, json_option, pass_session
from mvc.cli.progress import progress
from mvc.cli.text import count, escape, number, percent, short
from mvc.porcelain.identify import identify
from mvc.porcelain.results.matches import FileOverlap, IdentifyResult, Match

#: names of tensors that are listed before the rest is counted
LISTED = 4
_WORDS = {
    "same": "is",
    "copy": "is a copy of",
    "descends": "descends from",
    "precedes": "comes before",
    "mixes": "is a mixture with most of",
    "overlaps": "shares tensors with",
}


def render(result: IdentifyResult) -> Iterator[str]:
    """One block a file."""
    for item in result.results:
        if item.match is None:
            yield f"{escape(item.path)}  {paint('none', 'warn')}  {escape(item.reason)}".rstrip()
            continue
        yield f"{escape(item.path)}  {_match(item.match)}"
        if item.mixture:
            parts = " + ".join(f"{percent(part.weight)} {short(part.commit)}" for part in item.mixture)
            yield f"    = {parts}"
            if item.reason:
                yield paint(f"    {escape(item.reason)}", "warn")
        if item.overlap is not None:
            yield from (paint(f"    {line}", "dim") for line in _overlap(item.overlap))
        if (embedder := item.match.evidence.get("embedder")) is not None:
            place = item.match.evidence["neighbour"]
            yield paint(f"    neighbour {place} in the latent space of embedder {escape(embedder)}", "dim")
        if item.runner_up is not None:
            yield paint(f"    next best: {_plain(item.runner_up)}", "dim")


def _overlap(overlap: FileOverlap) -> Iterator[str]:
    """How much of the two was compared, and what was not."""
    equal = f", {percent(overlap.identical / overlap.shared)} of that equal" if overlap.identical else ""
    size = f"{count(overlap.tensors, 'tensor')}, {percent(overlap.coverage)} of the smaller model"
    yield f"compared: {size}{equal}, cosine {number(overlap.cosine)}; which came first is not known"
    for words, names in (
        ("only here", overlap.added),
        ("only there", overlap.removed),
        ("of another shape", overlap.reshaped),
    ):
        if names:
            more = f" and {len(names) - LISTED:,} more" if len(names) > LISTED else ""
            yield f"{words}: {', '.join(map(escape, names[:LISTED]))}{more}"


def _plain(match: Match) -> str:
    return click.unstyle(_match(match))


def _match(match: Match) -> str:
    where = f"{paint(short(match.commit), 'id')} in {paint(escape(match.lineage), 'name')}"
    sure = "" if match.confidence >= 1 else paint(f"({percent(match.confidence)} sure)", "dim")
    how = f", {escape(match.transform)}" if match.transform else ""
    return f"{_WORDS[match.relation]} {where}{how} {sure}".rstrip()


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(), metavar="PATH...")
@json_option
@pass_session
def command(session: Session, paths: tuple[str, ...], as_json: bool) -> None:
    """Find which committed model each file is or descends from, without committing it. "none" is an answer."""
    with progress("identifying") as report:
        workspace = open_workspace(session, told=report)
        result = identify(workspace, [session.path(path) for path in paths], progress=report)
    warn(workspace.warnings)
    if as_json:
        output.emit_json(result, "identify")
    else:
        output.emit_lines(render(result))
