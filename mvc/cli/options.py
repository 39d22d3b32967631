"""What commands share: the session that global options make, and the options that many commands take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from mvc.porcelain.workspace import Workspace

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Session:
    """One run of `mvc`. ``directory`` is where the command acts, relative to the process's own."""

    directory: Path
    colour: bool
    use_pager: bool
    quiet: bool = False
    #: repositories that were opened, to be asked where something came up
    opened: list[Workspace] = field(default_factory=list, compare=False)

    def path(self, text: str) -> Path:
        """A path as the user wrote it, seen from ``directory``."""
        return self.directory / text if self.directory != Path() else Path(text)


pass_session = click.make_pass_decorator(Session)


def json_option(function: Function) -> Function:
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")(function)


def tensor_option(function: Function) -> Function:
    return click.option("--tensor", metavar="GLOB", help="Only tensors whose names match.")(function)


def layer_options(function: Function) -> Function:
    """``by``: "tensor", "layer" or None; ``depth``: how many parts of a tensor's name make its layer, or None."""
    by = click.option("--by", type=click.Choice(["tensor", "layer"]), help="List tensors, or the modules they are in.")
    depth = click.option("--depth", type=click.IntRange(1), metavar="N", help="List layers: first N parts of names.")
    return by(depth(function))


def at_op_option(function: Function) -> Function:
    """``at_op``: an operation, or None."""
    about = "As things stood after this operation of `mvc op log`; @- is the one before the newest."
    return click.option("--at-op", metavar="OP", help=about)(function)


def data_option(function: Function) -> Function:
    about = "An .npz or a directory of IDX files [default: scikit-learn's digits]."
    return click.option("--data", type=click.Path(), metavar="PATH", help=about)(function)
