"""`mvc help`'s texts: pages on topics, which the documentation has too, and a command's own help with its commands'."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

import click

from mvc.cli.messages import paint

#: docs/topics, which the package carries
_TOPICS = Path(__file__).parent / "topics"
#: topic → what its page is about
TOPICS = {
    "revisions": "How a commit is named.",
    "lineages": "What is read from the weights, and how to declare it instead.",
    "evidence": "What the figures beside an inference mean.",
    "config": "What can be set in a repository.",
    "environment": "Which environment variables count.",
    "scripts": "JSON, exit codes, and what goes where.",
}


def topic_text(name: str) -> str:
    """A topic's page, in Markdown."""
    return (_TOPICS / f"{name}.md").read_text("utf-8")


def topic_lines(name: str, columns: int, *, rich: bool) -> Iterator[str]:
    """A topic's page; ``rich`` lays it out for a terminal, else it is Markdown as it stands."""
    if not rich:
        return iter(topic_text(name).splitlines())
    console = importlib.import_module("rich.console").Console(width=min(columns, 100), force_terminal=True)
    with console.capture() as captured:
        console.print(importlib.import_module("rich.markdown").Markdown(topic_text(name)))
    return iter(captured.get().splitlines())


def command_lines(context: click.Context) -> Iterator[str]:
    """A command's help, and that of each of its own commands."""
    yield from context.get_help().splitlines()
    for child in children(context):
        yield from ("", paint(child.command_path, "head"), "")
        yield from child.get_help().splitlines()


def children(context: click.Context) -> Iterator[click.Context]:
    """The commands of a group, each in a context of its own; none of what is no group."""
    group = context.command
    if isinstance(group, click.Group):
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            if command is not None and not command.hidden:
                yield click.Context(command, info_name=name, parent=context)


def overview() -> Iterator[str]:
    """The topics, a line each."""
    yield paint("Topics (mvc help TOPIC):", "head")
    yield from (f"  {name.ljust(14)}{about}" for name, about in TOPICS.items())
