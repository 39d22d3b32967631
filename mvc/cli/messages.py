"""What goes to stderr: remarks, warnings, hints and errors; and the colours that all output shares.

Light on purpose: this is all of the output that `mvc --help` and a usage error need.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import click

from mvc.cli import environment
from mvc.cli.text import escape

_STYLES: dict[str, dict[str, Any]] = {
    "id": {"fg": "yellow"},
    "name": {"fg": "cyan", "bold": True},
    "tag": {"fg": "green", "bold": True},
    "good": {"fg": "green"},
    "warn": {"fg": "yellow", "bold": True},
    "bad": {"fg": "red", "bold": True},
    "dim": {"dim": True},
    "head": {"bold": True},
    "bar": {"fg": "blue"},
    "lane": {"fg": "magenta"},
}


def paint(text: str, style: str) -> str:
    """Escaped text in one of the styles above; colour is stripped again where the output cannot show it."""
    return click.style(text, **_STYLES[style]) if text.strip() else text


def colour() -> bool | None:
    """False where colour is unwanted; None leaves it to whether the stream is a terminal."""
    context = click.get_current_context(silent=True)
    session = context.find_root().obj if context is not None else None
    wanted = session.colour if session is not None else environment.colour_wanted()
    return None if wanted else False


def note(message: str) -> None:
    """A remark on stderr: hints, warnings, what was done beside the data."""
    click.echo(message.encode("utf-8", "backslashreplace").decode("utf-8"), err=True, color=colour())


def warn(messages: Iterable[str]) -> None:
    for message in messages:
        note(f"{paint('warning:', 'warn')} {escape(message)}")


def hint(message: str) -> None:
    """A suggestion on stderr, only where somebody sits there and did not want it quiet."""
    context = click.get_current_context(silent=True)
    quiet = context is not None and getattr(context.find_root().obj, "quiet", False)
    if sys.stderr.isatty() and not quiet:
        note(paint(f"hint: {message}", "dim"))


def report_error(error: Mapping[str, str], *, as_json: bool) -> None:
    """An error in the contract's form: for people, and with --json for scripts too."""
    note(f"{paint('error:', 'bad')} {escape(error['message'])}")
    if error["hint"]:
        note(f"{paint('hint:', 'dim')} {escape(error['hint'])}")
    if as_json:
        click.echo(
            importlib.import_module("json").dumps({"schema": "mvc.error/v1", **error}, ensure_ascii=True), err=True
        )
