"""`mvc commit`: records checkpoints and says where each one landed."""

from __future__ import annotations

import importlib
import math
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from mvc.cli import completing, output
from mvc.cli.lineages import overlap_words
from mvc.cli.messages import hint, paint, warn
from mvc.cli.opening import open_workspace
from mvc.cli.options import Session, json_option, pass_session
from mvc.cli.progress import progress
from mvc.cli.text import count, escape, fit, fit_path, number, pad, percent, short, size, width
from mvc.porcelain.commits import commit
from mvc.porcelain.pointers import target_path
from mvc.porcelain.results.commits import CommitResult, Committed

#: rows of new commits before they are summed up by lineage
LONG = 40
_WORDS = {
    "starts": "starts",
    "extends": "extends",
    "inserts": "goes into",
    "forks": "forks off",
    "copies": "copies",
    "mixes": "mixes",
    "duplicate": "already in",
    "restores": "restored",
}
#: relations of what was committed before
_KNOWN = ("duplicate", "restores")


def render(result: CommitResult, columns: int) -> Iterator[str]:
    """One row a path: id, what it does to which lineage, how far from its predecessor, how sure."""
    if len(result.commits) > LONG:
        yield from _by_lineage(result, columns)
    else:
        yield from _rows(result, columns)
    new = [item for item in result.commits if item.relation not in _KNOWN]
    restored = [item for item in result.commits if item.relation == "restores"]
    known = len(result.commits) - len(new) - len(restored)
    stored, original = (sum(getattr(item, name) for item in (*new, *restored)) for name in ("stored_bytes", "bytes"))
    parts = [f"{count(len(new), 'commit')} in {count(len({item.lineage for item in new}), 'lineage')}"] if new else []
    if restored:
        parts.append(f"{len(restored):,} with {'its' if len(restored) == 1 else 'their'} tensors again")
    if known:
        parts.append(f"{known:,} already committed")
    if original:
        parts.append(f"{size(original)} kept in {size(stored)}")
    yield " · ".join(parts)


def _rows(result: CommitResult, columns: int) -> Iterator[str]:
    places = [f"{escape(item.lineage)}@{item.position}" for item in result.commits]
    places = [fit(place, 26, keep="both") for place in places]
    steps = ["" if item.distance is None else f"step {number(item.distance)}, " for item in result.commits]
    sure = [
        "" if item.relation in _KNOWN else f"{step}{percent(item.confidence)} sure"
        for item, step in zip(result.commits, steps, strict=True)
    ]
    widest, surest = (max(map(width, texts), default=0) for texts in (places, sure))
    for item, place, words in zip(result.commits, places, sure, strict=True):
        words = f"  {pad(words, surest)}" if surest else ""
        used = width(f"{short(item.id)}  {pad(_WORDS[item.relation], 10)} {pad(place, widest)}{words}")
        path = fit_path(escape(item.path), max(10, columns - used - 2))
        yield (
            f"{paint(short(item.id), 'id')}  {pad(_WORDS[item.relation], 10)} {paint(pad(place, widest), 'name')}"
            f"{paint(words, 'dim')}  {path}"
        ).rstrip()
        for overlap in item.overlaps[:1]:
            yield paint(f"          {fit(overlap_words(overlap, {}), columns - 10, keep='start')}", "dim")


def _by_lineage(result: CommitResult, columns: int) -> Iterator[str]:
    lineages: dict[str, list[Committed]] = {}
    for item in result.commits:
        lineages.setdefault(item.lineage, []).append(item)
    for name, items in sorted(lineages.items(), key=lambda entry: (-len(entry[1]), entry[0])):
        surest = min(item.confidence for item in items)
        words = f"{count(len(items), 'checkpoint')}, at least {percent(surest)} sure"
        shown = fit(escape(name), max(12, columns - len(words) - 2), keep="both")
        yield f"{paint(shown, 'name')}  {words}"


def _metric(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> dict[str, float]:
    found = {}
    for text in values:
        key, equals, value = text.partition("=")
        try:
            if not equals or not key:
                raise ValueError
            found[key] = float(value)
        except ValueError:
            raise click.BadParameter(f"{text!r} is not KEY=NUMBER", param_hint="--metric") from None
        if not math.isfinite(found[key]):
            raise click.BadParameter(f"{text!r} is not finite", param_hint="--metric")
    return found


def _warn_tracked(paths: Sequence[Path]) -> None:
    """Says so where git goes on carrying what a pointer stands for now."""
    tracking = importlib.import_module("mvc.integrations.git.tracking")  # for this alone git would be imported
    for path in tracking.still_tracked(paths):
        quoted = shlex.quote(str(path))
        warn([f"git still carries {str(path)!r}, which it tracks; take it out with: git rm -r --cached -- {quoted}"])


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(), metavar="PATH...")
@click.option("-m", "--message", metavar="MSG", default="", help="What this is.")
@click.option("--step", type=float, metavar="N", help="Declare the training step (or epoch).")
@click.option("--run", metavar="NAME", help="Declare the training run; it names the lineage.")
@completing.revision_option("--parent", about="Declare the commit that training started from.")
@click.option(
    "--metric", "metrics", multiple=True, metavar="K=V", callback=_metric, help="Record a number; repeatable."
)
@click.option("--tag", metavar="NAME", help="Name the new commit.")
@click.option("--pointer", is_flag=True, help="Write PATH.mvc, for git to carry instead of PATH.")
@click.option("--verify", is_flag=True, help="Read files too whose size, times and inode are those of the last time.")
@click.option("--restore", is_flag=True, help="Store again what these commits gave up with gc --keep.")
@json_option
@pass_session
def command(
    session: Session,
    paths: tuple[str, ...],
    message: str,
    step: float | None,
    run: str | None,
    parent: str | None,
    metrics: dict[str, float],
    tag: str | None,
    pointer: bool,
    verify: bool,
    restore: bool,
    as_json: bool,
) -> None:
    """Record checkpoints: files, sharded directories, Trainer directories, or all that a directory holds. Many paths
    are one transaction. Says where each landed: lineage, position, relation, evidence."""
    with progress("committing") as report:
        result = commit(
            open_workspace(session, told=report),
            [session.path(path) for path in paths],
            message=message,
            step=step,
            run=run,
            parent=parent,
            metrics=metrics,
            tag=tag,
            pointer=pointer,
            verify=verify,
            restore=restore,
            directory=session.directory,
            progress=report,
        )
    pointers = [item.pointer for item in result.commits if item.pointer]
    if pointers:
        _warn_tracked([target_path(Path(path)) for path in pointers])
    if as_json:
        output.emit_json(result, "commit")
        return
    warn(result.warnings)
    output.emit_lines(render(result, output.text_width()))
    if pointers:
        output.emit_lines([f"{count(len(pointers), 'pointer')} for git, whose files are in .gitignore now"])
        ignores = {str(Path(path).with_name(".gitignore")) for path in pointers}
        hint(f"let git carry them with: git add {' '.join(map(shlex.quote, [*pointers[:3], *sorted(ignores)[:3]]))}")
    elif len(result.commits) > 1:
        hint("see the trajectories with: mvc log --graph")
