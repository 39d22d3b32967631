"""`mvc git`: mvc beside git: hooks, and diffs that show models."""

from __future__ import annotations

import importlib
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from mvc.cli import output
from mvc.cli.messages import note, paint, warn
from mvc.cli.options import Session, json_option, pass_session
from mvc.cli.text import count, escape, short
from mvc.integrations.git.results import HookEntry, HookResult, InstallResult, UninstallResult

HOOKS = ("pre-push", "pre-receive", "post-commit", "post-checkout", "post-merge")
#: gate → what to do where it refuses a push
_GATES = {"pre-push": "; push again then, or push all the same with: git push --no-verify", "pre-receive": ""}
_STYLE = {
    "pass": "good",
    "warn": "warn",
    "fail": "bad",
    "skip": "dim",
    "committed": "good",
    "known": "dim",
    "hint": "dim",
}
_WORDS = {
    "pass": "pass",
    "warn": "warn",
    "fail": "FAIL",
    "skip": "skip",
    "committed": "kept",
    "known": "known",
    "hint": "hint",
}


@click.group()
def command() -> None:
    """Work beside git: gates on pushes, checkpoints committed with git commits, and diffs that show models."""


def _open(session: Session) -> Any:
    """Opens the mvc repository whose working directory it is given; what that needs is imported then.

    Raises InputError for one that came with git: its settings are anybody's."""

    def opened(root: Path) -> Any:
        importlib.import_module("mvc.integrations.git.trust").check_not_carried(root, session.directory)
        return importlib.import_module("mvc.cli.opening").open_at(root, session.directory)

    return opened


@command.command("install", short_help="Set up the git repository here.")
@json_option
@pass_session
def install_(session: Session, as_json: bool) -> None:
    """Set up the git repository here: hooks (those that are there run first), diff=mvc and .gitattributes. In a bare
    repository: a gate on what is pushed to it."""
    result: InstallResult = importlib.import_module("mvc.integrations.git.install").install(session.directory)
    if as_json:
        output.emit_json(result, "git-install")
        return
    output.emit_lines(_installed(result))
    if result.attributes and result.repository is None:
        note(f"{paint('hint:', 'dim')} there is no mvc repository here yet; run: mvc init")


def _installed(result: InstallResult) -> Iterator[str]:
    for hook in result.hooks:
        before = f"  {paint('runs what was there first', 'dim')}" if hook.before else ""
        yield f"{paint(hook.name, 'name')}  {escape(hook.path)}{before}"
    if result.attributes:
        advice = paint("commit it, so that all clones have it", "dim")
        yield f"{paint('diff=mvc', 'name')}  {escape(result.attributes)}  {advice}"
    yield paint("take it all back with: mvc git uninstall", "dim")


@command.command("uninstall")
@json_option
@pass_session
def uninstall_(session: Session, as_json: bool) -> None:
    """Leave the git repository as it was before `mvc git install`."""
    result: UninstallResult = importlib.import_module("mvc.integrations.git.install").uninstall(session.directory)
    if as_json:
        output.emit_json(result, "git-uninstall")
        return
    rows = [("removed", path) for path in result.removed] + [("put back", path) for path in result.restored]
    output.emit_lines([f"{word}  {escape(path)}" for word, path in rows] or ["nothing of mvc is installed here"])


@command.command("hook")
@click.argument("name", type=click.Choice(HOOKS), metavar="NAME")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@json_option
@pass_session
def hook_(session: Session, name: str, arguments: tuple[str, ...], as_json: bool) -> int:
    """What git runs as the hook NAME. Gates exit with 1 where a checkpoint fails; the others never do."""
    hooks = importlib.import_module("mvc.integrations.git.hooks")
    git = importlib.import_module("mvc.integrations.git.reading").GitRepository(session.directory)
    stdin = sys.stdin.buffer.read() if name in _GATES and not sys.stdin.isatty() else None
    before: int = hooks.run_before(git, name, arguments, stdin, aside=as_json)
    if before and name in _GATES:
        return before
    result: HookResult = hooks.run_hook(git, name, arguments, stdin or b"", _open(session))
    if as_json:
        output.emit_json(result, "git-hook")
    else:
        _tell(result)
    return before or int(name in _GATES and result.verdict == "fail")


def _tell(result: HookResult) -> None:
    """On stderr, as git's own remarks are: stdout may be somebody's data."""
    warn(result.warnings)
    for entry in result.entries:
        if entry.state not in ("pass", "known") and (entry.hint or entry.state != "skip"):
            for line in _lines(entry):
                note(line)
    if result.hook in _GATES and result.entries:
        counts: Counter[str] = Counter(entry.state for entry in result.entries)
        words = {"fail": "failed", "warn": "to look at", "skip": "with too little at hand to judge by"}
        parts = [f"{counts['pass']:,} passed", *(f"{counts[s]:,} {word}" for s, word in words.items() if counts[s])]
        note(f"mvc: {count(len(result.entries), 'checkpoint')}: {', '.join(parts)}")
    if result.hook in _GATES and result.verdict == "fail":
        note(f"{paint('mvc: the push is refused', 'bad')}{_GATES[result.hook]}")


def _lines(entry: HookEntry) -> Iterator[str]:
    name = f"  {paint(short(entry.commit), 'id')}" if entry.commit else ""
    state = paint(_WORDS[entry.state], _STYLE[entry.state])
    yield f"mvc: {state}  {escape(entry.path)}{name}  {escape(entry.reason)}".rstrip()
    if entry.hint:
        yield f"           {escape(entry.hint)}"


@command.command("textconv", short_help="Show a model as text, as git diff compares it.")
@click.argument("file", type=click.Path())
@pass_session
def textconv_(session: Session, file: str) -> None:
    """Show a model as text, a line for each tensor: what `git diff` and `git log -p` compare. Never fails."""
    text = importlib.import_module("mvc.integrations.git.textconv")
    lines = text.text_of(session.path(file), session.directory, _open(session))
    output.emit_lines(escape(line) for line in lines)
