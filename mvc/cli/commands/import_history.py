"""`mvc import-history`: commits the checkpoints of a git repository's past."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import click

from mvc.cli import output
from mvc.cli.messages import hint, paint, warn
from mvc.cli.opening import open_workspace
from mvc.cli.options import Session, json_option, pass_session
from mvc.cli.progress import progress
from mvc.cli.text import count, escape, fit, pad

#: checkpoints that could not be imported and are told one by one
LONG = 20
_STYLE = {"missing": "warn", "refused": "bad"}


def render(result: Any, columns: int) -> Iterator[str]:
    """What could not be imported, each with why and what to do; then what was."""
    troubles = [entry for entry in result.entries if entry.state in _STYLE]
    for entry in troubles[:LONG]:
        path = fit(escape(entry.path), max(20, columns - 18))
        yield f"{paint(pad(entry.state, 7), _STYLE[entry.state])}  {paint(escape(entry.git[:8]), 'id')}  {path}"
        yield from output.paragraphs(entry.reason, "         ")
    if len(troubles) > LONG:
        yield paint(f"… {len(troubles) - LONG:,} more (--json lists them all)", "dim")
    for remedy in dict.fromkeys(entry.hint for entry in troubles[:LONG] if entry.hint):
        yield f"{paint('hint:', 'dim')} {escape(remedy)}"
    states = Counter(entry.state for entry in result.entries)
    parts = [f"{count(states['imported'], 'checkpoint')} of {count(result.commits, 'git commit')} imported"]
    if states["imported"]:
        parts[0] += f", in {count(len(result.lineages), 'lineage')}"
    if before := states["known"] + result.skipped:
        parts.append(f"{before:,} already committed")
    parts += [f"{states[state]:,} {state}" for state in _STYLE if states[state]]
    yield " · ".join(parts)


@click.command()
@click.argument("repository", default=".", metavar="[GITREPO]", type=click.Path())
@click.option("--branch", "branches", multiple=True, metavar="REV", help="Up to this branch, tag or commit of git's; "
              "repeatable.  [default: HEAD]")  # fmt: skip
@click.option("--paths", multiple=True, metavar="GLOB", help="Only files whose path or name matches; repeatable.")
@json_option
@pass_session
def command(session: Session, repository: str, branches: tuple[str, ...], paths: tuple[str, ...], as_json: bool) -> int:
    """Commit the checkpoints of a git repository's past, the oldest git commit first: plain files, those that Git LFS
    has in its store here, and those that DVC has in its cache here. Author, time, message and id of the git commit are
    recorded with each. Run again, it goes on where it was. Exits with 1 if something could not be imported."""
    reading = importlib.import_module("mvc.integrations.git.reading")
    history = importlib.import_module("mvc.integrations.git.history")
    workspace = open_workspace(session)
    git = reading.GitRepository(session.path(repository).resolve(), sealed=True)
    with progress("importing") as report:
        result = history.import_history(git, workspace, revisions=branches or ("HEAD",), paths=paths, progress=report)
    if as_json:
        output.emit_json(result, "import-history")
    else:
        warn(result.warnings)
        output.emit_lines(render(result, output.text_width()))
        if any(entry.state == "imported" for entry in result.entries):
            hint("see the trajectories with: mvc log --graph")
    return int(any(entry.state in _STYLE for entry in result.entries))
