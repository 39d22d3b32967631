"""Manual pages, written from the commands themselves: `mvc(1)`, and a page for each command with its own commands.

python -m mvc.cli.manual man

click-man, the library for this, sees no commands that are imported lazily, and no sections of the command table.
"""

from __future__ import annotations

import inspect
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import click

from mvc.cli.helping import TOPICS, children
from mvc.cli.main import cli
from mvc.cli.table import COMMANDS, SECTIONS
from mvc.storage import REAL, atomic_write

#: of the commands as they are here
_DATE = "2026-11-22"
_ABOUT = "git for neural-network weights"


def pages() -> Iterator[tuple[str, str]]:
    """Name of each page's file, and the page."""
    root = click.Context(cli, info_name="mvc", **cli.context_settings)
    yield "mvc.1", _joined(_main_page(root))
    for context in children(root):
        name = str(context.info_name)
        yield f"mvc-{name}.1", _joined(_page(context, COMMANDS[name]))


def _main_page(root: click.Context) -> Iterator[str]:
    yield from _head("mvc", _ABOUT, root)
    yield from _options(root)
    for title, commands in SECTIONS.items():
        yield f".SH {_quoted(title.upper())}"
        for name, about in commands.items():
            yield from (".TP", f".BR mvc\\-{_text(name)} (1)", _text(about))
    yield from (".SH TOPICS", "Pages that \\fBmvc help\\fP \\fITOPIC\\fP shows:")
    for name, about in TOPICS.items():
        yield from (".TP", f".B {_text(name)}", _text(about))
    yield from (".SH SEE ALSO", ".BR git (1)")


def _page(context: click.Context, about: str) -> Iterator[str]:
    yield from _head(f"mvc-{context.info_name}", about, context)
    yield from _options(context)
    for child in children(context):
        yield f".SH {_quoted(child.command_path.upper())}"
        yield from _synopsis(child)
        yield ".PP"
        yield from _description(child)
        yield from _options(child, heading="")
    yield from (".SH SEE ALSO", ".BR mvc (1)")


def _head(name: str, about: str, context: click.Context) -> Iterator[str]:
    yield f'.TH {_quoted(name.upper())} "1" "{_DATE}" "mvc" "mvc manual"'
    yield from (".SH NAME", f"{_text(name)} \\- {_text(about.rstrip('.'))}", ".SH SYNOPSIS")
    yield from _synopsis(context)
    yield ".SH DESCRIPTION"
    yield from _description(context)


def _synopsis(context: click.Context) -> Iterator[str]:
    yield f".B {_text(context.command_path)}"
    yield " ".join(_text(piece) for piece in context.command.collect_usage_pieces(context))


def _description(context: click.Context) -> Iterator[str]:
    for place, paragraph in enumerate(inspect.cleandoc(context.command.help or "").split("\n\n")):
        yield from [".PP"] if place else []
        yield from (_text(line) for line in textwrap.wrap(paragraph.strip(), 78))


def _options(context: click.Context, heading: str = ".SH OPTIONS") -> Iterator[str]:
    records = [record for param in context.command.get_params(context) if (record := param.get_help_record(context))]
    if any(about for _, about in records) and heading:
        yield heading
    for names, about in records:
        if not about:
            continue  # an argument: the synopsis names it
        yield from (".TP", f".B {_text(names)}")
        yield from (_text(line) for line in textwrap.wrap(about, 78))


def _text(text: str) -> str:
    """Text as roff takes it for itself."""
    plain = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{plain}" if plain.startswith((".", "'")) else plain


def _quoted(text: str) -> str:
    return f'"{_text(text)}"'


def _joined(lines: Iterator[str]) -> str:
    return "\n".join(lines) + "\n"


def write_pages(directory: Path) -> None:
    """Writes every page, and takes away those of commands that are no more."""
    directory.mkdir(exist_ok=True)
    written = dict(pages())
    for old in set(directory.glob("mvc*.1")) - {directory / name for name in written}:
        old.unlink()
    for name, page in written.items():
        atomic_write(REAL, directory / name, (page.encode(),), overwrite=True)


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]))
