"""What a shell may complete: HEAD, tags, lineages. Owns the look-up; a shell is told nothing rather than an error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from mvc.cli.opening import open_workspace
from mvc.cli.options import Function, Session
from mvc.errors import MvcError
from mvc.porcelain.log import log
from mvc.porcelain.tags import list_tags


def revisions(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Names that begin as typed. Names that would need quoting are left out."""
    return [name for name in _names(ctx, lineages=True, tags=True) if name.startswith(incomplete)]


def revision_option(*names: str, about: str, metavar: str = "REV") -> Callable[[Function], Function]:
    """An option that takes a revision."""
    return click.option(*names, metavar=metavar, shell_complete=revisions, help=about)


def models(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The same or, where none begins so, files."""
    # files come first: a shell that is told of them forgets what it was told before
    names = [CompletionItem(name) for name in revisions(ctx, param, incomplete)]
    return [CompletionItem(incomplete, type="file"), *names]


def lineages(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in _names(ctx, lineages=True, tags=False) if name.startswith(incomplete)]


def tags(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in _names(ctx, lineages=False, tags=True) if name.startswith(incomplete)]


def _names(ctx: click.Context, *, lineages: bool, tags: bool) -> list[str]:
    directory = Path(str(ctx.find_root().params.get("directory") or "."))
    try:
        workspace = open_workspace(Session(directory, colour=False, use_pager=False))
        found = {"HEAD"} if lineages and tags else set()
        if tags:
            found |= {tag.name for tag in list_tags(workspace).tags}
        if lineages:
            found |= {row.name for row in log(workspace).lineages}
    except (MvcError, OSError):
        return []
    return sorted(name for name in found if name.isascii() and name.isprintable() and not set(name) & set(" '\"\\$`"))
