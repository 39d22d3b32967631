"""`mvc status`: which checkpoints lie here, and which of them are committed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import click

from mvc.cli import output
from mvc.cli.messages import hint, paint
from mvc.cli.opening import open_workspace
from mvc.cli.options import Session, json_option, pass_session
from mvc.cli.progress import progress
from mvc.cli.text import count, escape, fit, short, width
from mvc.porcelain.results.states import StatusEntry, StatusResult
from mvc.porcelain.status import status

_SECTIONS = (
    ("new", "Not committed", "good", 'record them with "mvc commit PATH..."'),
    ("changed", "Changed since they were committed", "warn", 'record them with "mvc commit PATH..."'),
    ("missing", "Pointers whose files are not here", "warn", 'bring them back with "mvc checkout FILE.mvc"'),
    ("differs", "Pointers beside another file", "warn", 'keep the file with "mvc commit --pointer FILE"'),
    ("incomplete", "Incomplete", "bad", "a shard is missing"),
    ("blocked", "Not fetched", "bad", "a pointer stands where weights should be"),
    ("bad", "Not readable", "bad", ""),
)
#: states of a pointer that can be used
POINTED = ("present", "missing", "differs")
#: states in which nothing can be lost: a file that is missing is in the repository
SETTLED = ("committed", "present", "missing")


def render(result: StatusResult, columns: int) -> Iterator[str]:
    """One section a state, as git does; committed ones are only counted."""
    for state, title, style, advice in _SECTIONS:
        entries = [entry for entry in result.entries if entry.state == state]
        if entries:
            yield f"{paint(title, 'head')} ({len(entries):,})" + (paint(f"  {advice}", "dim") if advice else "")
            yield from (_line(entry, style, columns) for entry in entries)
            yield ""
    states: Counter[str] = Counter(entry.state for entry in result.entries)
    pointers = sum(states[state] for state in POINTED)
    committed, others = states["committed"], len(result.entries) - states["committed"] - pointers
    said = f"; {count(pointers, 'pointer')} ({states['present']:,} with the file here)" if pointers else ""
    if committed + others == 0:
        yield f"No checkpoints here{said}."
    elif not others:
        yield f"Nothing to commit: {count(committed, 'checkpoint')} here, all committed{said}."
    else:
        yield f"{committed:,} committed, {others:,} not{said}."
    gone = sum(entry.state == "committed" and bool(entry.reason) for entry in result.entries)
    if gone:
        them = "it" if gone == 1 else "them"
        yield f"{count(gone, 'file')} here gave up tensors in the store; keep {them} again: mvc commit --restore PATH"


def _line(entry: StatusEntry, style: str, columns: int) -> str:
    path = fit(escape(entry.path), columns - 4, keep="both")
    line = f"    {paint(path, style)}"
    reason = escape(entry.reason) or (f"was {short(entry.commit)}" if entry.commit else "")
    if entry.state == "blocked":
        return f"{line}\n        {reason}"  # holds a command, which is of no use when it is cut
    return f"{line}  {fit(reason, max(20, columns - width(path) - 6), keep='start')}" if reason else line


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(), metavar="[PATH]...")
@click.option("--exit-code", is_flag=True, help="Exit with 1 unless all that is here is committed and complete.")
@json_option
@pass_session
def command(session: Session, paths: tuple[str, ...], exit_code: bool, as_json: bool) -> int:
    """Show the checkpoints under PATH (here, unless given): new, committed, changed, incomplete, or not fetched; and
    whether the files of pointers are here."""
    with progress("looking") as report:
        result = status(
            open_workspace(session, told=report),
            [session.path(path) for path in paths],
            directory=session.directory,
            progress=report,
        )
    if as_json:
        output.emit_json(result, "status")
    else:
        output.emit_lines(render(result, output.text_width()))
        if any(entry.state == "new" for entry in result.entries):
            hint("commit everything here with: mvc commit .")
    return int(exit_code and any(entry.state not in SETTLED for entry in result.entries))
