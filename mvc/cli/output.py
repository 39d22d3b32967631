"""What goes to stdout: a command's data, as text (through the pager on a terminal) or as one JSON object.

Refuses to let a value reach a terminal except through `text.escape`: lines passed here are already escaped, and colour
is added to them by `messages.paint`.
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import click

from mvc.cli import environment
from mvc.cli.messages import colour
from mvc.cli.text import escape
from mvc.porcelain.results.plain import to_json

#: lines that are written, and flushed, together
_AT_ONCE = 64
#: what an output that cannot show Unicode gets instead
_ASCII = str.maketrans(
    {
        **dict.fromkeys("│├╰╭╯", "|"),
        **dict.fromkeys("█▉▊▋▌▍▎▏", "#"),
        **dict(zip("▁▂▃▄▅▆▇", "..::++*", strict=True)),
        **dict(zip("●○┊─┄·–×✓✗", "*o:-.--x+x", strict=True)),
        **dict(zip("…→∠°≥≤√∞", ("...", "->", "turn ", " deg", ">=", "<=", "sqrt", "inf"), strict=True)),
    }
)


def text_width() -> int:
    """Columns to lay text out for: the terminal's, and 80 where there is none."""
    return max(40, shutil.get_terminal_size((80, 24)).columns) if sys.stdout.isatty() else 80


def prose_width() -> int | None:
    """Columns to break sentences at; None where nobody looks, which keeps each in one line."""
    return text_width() if sys.stdout.isatty() else None


def emit_json(result: Any, schema: str) -> None:
    """One object on stdout."""
    click.echo(as_json(result, schema))


def as_json(result: Any, schema: str) -> str:
    """One object. ASCII, so that no name in it can steer a terminal and any encoding can carry it."""
    return json.dumps(to_json(result, schema), ensure_ascii=True, allow_nan=True, indent=2)


def emit_lines(lines: Iterable[str], *, paged: bool = False) -> None:
    """Text on stdout; with ``paged`` through the pager where stdout is a terminal and the user wants one."""
    context = click.get_current_context(silent=True)
    session = context.find_root().obj if context is not None else None
    if paged and session is not None and session.use_pager and sys.stdout.isatty():
        command = shlex.split(environment.pager())
        if command and shutil.which(command[0]):
            _through_pager(command, lines, coloured=session.colour)
            return
    rest = iter(lines)
    while some := list(islice(rest, _AT_ONCE)):
        click.echo("\n".join(map(_encodable, some)), color=colour())


def _through_pager(command: list[str], lines: Iterable[str], *, coloured: bool) -> None:
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, env=environment.pager_environment(), text=True, encoding="utf-8"
    ) as process:
        assert process.stdin is not None
        try:
            for line in lines:
                process.stdin.write((line if coloured else click.unstyle(line)) + "\n")
            process.stdin.close()
        except BrokenPipeError:
            pass  # the reader has seen enough
        while True:
            try:
                process.wait()
                break
            except KeyboardInterrupt:
                continue  # the pager decides what Ctrl-C means, as under git


def _encodable(line: str) -> str:
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        line.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return line.translate(_ASCII).encode("ascii", "backslashreplace").decode("ascii")
    return line


def paragraphs(text: str, indent: str) -> Iterator[str]:
    """A message of several lines, each escaped and indented."""
    for line in text.splitlines() or [""]:
        yield f"{indent}{escape(line)}".rstrip()
