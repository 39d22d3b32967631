"""`mvc show`: one commit, its facts, what was inferred of it, its tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from mvc.cli import completing, output
from mvc.cli.lineages import overlap_lines
from mvc.cli.messages import paint
from mvc.cli.mixtures import Source, mixture_lines
from mvc.cli.opening import open_workspace
from mvc.cli.options import Session, json_option, pass_session
from mvc.cli.progress import progress
from mvc.cli.spectra import spectral_lines
from mvc.cli.text import columns, count, escape, fit, moment, number, percent, short, size
from mvc.porcelain.results.logs import OverlapResult
from mvc.porcelain.results.shows import ShowResult
from mvc.porcelain.show import show

#: tensors listed before the rest is counted
ROWS = 40


def render(result: ShowResult, room: int, rows: int | None = ROWS) -> Iterator[str]:
    """As git shows a commit: header, message, then the content."""
    facts = result.facts
    tags = facts.get("tags") or ()
    yield f"{paint('commit', 'id')} {paint(escape(result.id), 'id')}" + "".join(
        f"  {paint(escape(tag), 'tag')}" for tag in tags
    )
    for label, key in (("Author", "author"), ("Date", "time"), ("Path", "path"), ("Run", "run"), ("Parent", "parent")):
        if facts.get(key):
            value = f"{moment(facts[key])} UTC" if key == "time" else escape(facts[key])
            yield f"{label + ':':9}{value}"
    if facts.get("gone"):
        why = f"tensors given up on {facts['gone']['time'][:10]} by {facts['gone']['reason']}"
        yield f"{'Gone:':9}{paint(escape(why), 'warn')}"
    if facts.get("step") is not None:
        yield f"{'Step:':9}{number(facts['step'], 9)}  (declared by {escape(facts.get('step_source') or 'user')})"
    for key, value in (facts.get("metrics") or {}).items():
        yield f"{'Metric:':9}{escape(key)} = {number(value, 6)}"
    for key, value in (facts.get("extra") or {}).items():
        yield f"{'Extra:':9}{escape(key)} = {escape(value)}"
    if str(facts.get("message") or "").strip():
        yield ""
        yield from output.paragraphs(str(facts["message"]), "    ")
    if result.inference:
        yield ""
        yield from _inference(result.inference, room)
    yield ""
    yield from _files(result)
    if result.spectra is None:
        yield from _tensors(result, room, rows)
    else:
        yield from spectral_lines(result.spectra, room, rows)


def _inference(inference: Mapping[str, Any], room: int) -> Iterator[str]:
    name = paint(escape(inference.get("lineage")), "name")
    sure = percent(inference.get("confidence"))
    yield f"{name} @{escape(inference.get('position'))}  {escape(inference.get('relation'))}, {sure} sure"
    if inference.get("mixture"):
        parts = [Source(**part) for part in inference["mixture"]]
        yield from (f"    {line}" for line in mixture_lines(parts, room - 4, most=len(parts)))
    if inference.get("parent"):
        angle = inference.get("turning_angle")
        turn = "" if angle is None else f", turning {angle:.0f}°"
        yield f"    {number(inference.get('distance'))} from {paint(short(inference['parent']), 'id')}{turn}"
    overlaps = [OverlapResult(**row) for row in inference.get("overlaps") or ()]
    for line in overlap_lines(overlaps, bool(inference.get("adapter")), {}, most=len(overlaps)):
        yield f"    {line}"
    if inference.get("runner_up"):
        yield f"    next best: {_value(inference['runner_up'])}"
    for key, value in (inference.get("evidence") or {}).items():
        yield paint(f"    {escape(key).replace('_', ' ')}: {_value(value)}", "dim")


def _value(value: Any) -> str:
    """Evidence as a person reads it: figures rounded, ids short, the rest escaped."""
    if isinstance(value, float):
        return number(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{escape(key)} {_value(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_value, value))
    text = escape(value)
    return short(text) if len(text) == 64 and set(text) <= set("0123456789abcdef") else text


def _files(result: ShowResult) -> Iterator[str]:
    for file in result.files:
        name = escape(file.get("path") or "") or "the file"
        yield f"{name}: {escape(file.get('format'))}, {size(int(file.get('size') or 0))}"


def _tensors(result: ShowResult, room: int, rows: int | None) -> Iterator[str]:
    shown = result.tensors if rows is None else result.tensors[:rows]
    table = [
        (
            fit(escape(row.name), max(16, room - 44), keep="both"),
            "×".join(map(str, row.shape)) or "scalar",
            escape(row.dtype),
            size(row.bytes),
            "" if row.role == "weight" else escape(row.role),
        )
        for row in shown
    ]
    yield from (f"  {line}" for line in columns(table, right=(1, 3)))
    if len(result.tensors) > len(shown):
        yield paint(f"  … {len(result.tensors) - len(shown):,} more (--all shows them)", "dim")
    stored = sum({row.object: row.stored_bytes for row in result.tensors}.values())
    total = sum(row.bytes for row in result.tensors)
    yield f"{count(len(result.tensors), 'tensor')}, {size(total)} kept in {size(stored)}"


@click.command()
@click.argument("revision", default="HEAD", metavar="[REV]", shell_complete=completing.revisions)
@click.option("--all", "everything", is_flag=True, help="List every tensor.")
@click.option("--spectra", is_flag=True, help="For every tensor its statistics and its spectrum.")
@click.option(
    "--bootstrap",
    type=click.IntRange(20, 10_000),
    metavar="N",
    default=None,
    help="With --spectra: whether a tail is a power law's at all, from N samples of each.",
)
@json_option
@pass_session
def command(
    session: Session, revision: str, everything: bool, spectra: bool, bootstrap: int | None, as_json: bool
) -> None:
    """Show one commit (HEAD unless given): what was recorded, what was inferred from its weights and how sure that is,
    and its tensors."""
    if bootstrap is not None and not spectra:
        raise click.UsageError("--bootstrap needs --spectra")
    with progress("spectra" if spectra else "looking") as report:
        result = show(
            open_workspace(session, told=report),
            revision,
            directory=session.directory,
            spectra=spectra,
            bootstrap=bootstrap or 0,
            progress=report,
        )
    if as_json:
        output.emit_json(result, "show")
    else:
        output.emit_lines(render(result, output.text_width(), None if everything else ROWS), paged=True)
