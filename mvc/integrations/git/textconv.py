"""A model as text, for ``git diff`` and ``git log -p``: a line for each tensor, so that a line diff says what changed.

The same content gives the same text wherever it lies, be it in a file or behind a pointer; where the mvc repository
knows it, its commit and its place are named. Never fails: what cannot be read is a line that says so, for git shows no
diff at all without an answer. Lines are not escaped: whoever prints them does that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from mvc.errors import MvcError, NotFoundError
from mvc.formats import digest_of, open_checkpoint, open_opaque
from mvc.geometry import compare_tensors
from mvc.index import CommitRow, LineageRow, PlacementRow, Reader
from mvc.integrations.git.places import Open, mvc_root
from mvc.objects import DTYPES, Checkpoint, ObjectId, read_array
from mvc.porcelain.contents import find_content
from mvc.porcelain.pointers import find_pointed, is_pointer, read_pointer
from mvc.porcelain.workspace import Workspace

#: digits of ids: enough to tell two contents apart, and short enough to read
_SHORT = 12


def text_of(path: Path, directory: Path, open_workspace: Open) -> Iterator[str]:
    """The model under ``path`` in lines, as git run in ``directory`` should show it."""
    try:
        yield from (
            _pointed(path, directory, open_workspace) if is_pointer(path) else _file(path, directory, open_workspace)
        )
    except Exception as error:  # a diff of other files must not end here
        words = error.message if isinstance(error, MvcError) else f"{type(error).__name__}: {error}"
        yield f"unreadable: {words.replace(ascii(str(path)), ascii(path.name or '.'))}"
        yield from _bytes(path)


def _file(path: Path, directory: Path, open_workspace: Open) -> Iterator[str]:
    with open_checkpoint(path) as opened:
        yield from _name(directory, open_workspace, lambda workspace: find_content(workspace, opened))
        files = [(file.size, digest_of(file)) for _, file in opened.files]
        if len(files) == 1:
            yield _summary(files[0][0], files[0][1])
        yield from _tensors(opened)


def _pointed(path: Path, directory: Path, open_workspace: Open) -> Iterator[str]:
    pointer = read_pointer(path)
    root = mvc_root(directory)
    try:
        if root is None:
            raise NotFoundError("there is no mvc repository here")
        workspace = open_workspace(root)
        commit = workspace.look_up(lambda reader: find_pointed(reader, pointer, Path(path.name)))
    except NotFoundError:
        yield f"commit {pointer.commit[:_SHORT]}, which is not in the mvc repository here"
        yield _summary(pointer.size, pointer.digest)
        return
    yield from workspace.look_up(partial(_place, commit=commit))
    yield _summary(pointer.size, pointer.digest)
    yield from _tensors(workspace.repository.checkpoint(commit))


def _name(directory: Path, open_workspace: Open, find: Callable[[Workspace], ObjectId | None]) -> list[str]:
    """What mvc knows of a checkpoint; nothing where there is no repository, or none that can be asked."""
    root = mvc_root(directory)
    if root is None:
        return []
    try:
        workspace = open_workspace(root)
        commit = find(workspace)
        return [] if commit is None else workspace.look_up(partial(_place, commit=commit))
    except MvcError:
        return []


def _place(reader: Reader, commit: ObjectId) -> list[str]:
    first, _, _ = CommitRow.find(reader, id=commit)[0].message.partition("\n")
    lines = []
    for place in PlacementRow.find(reader, commit=commit):
        lineage = LineageRow.find(reader, id=place.lineage)[0]
        lines.append(f"commit {commit[:_SHORT]}  {lineage.name}@{place.position}" + (f"  {first}" if first else ""))
        if place.distance is not None and place.parent is not None:
            turn = "" if place.turning_angle is None else f", turning {place.turning_angle:.0f}°"
            lines.append(f"step {place.distance:.6g} from {place.parent[:_SHORT]}{turn}")
    return lines


def _summary(size: int, digest: str) -> str:
    return f"file {size:,} bytes  {digest[:_SHORT]}"


def _tensors(checkpoint: Checkpoint) -> Iterator[str]:
    """By name, so that files of another order or format can be compared. Columns are not aligned: one longer name would
    change every line."""
    specs = checkpoint.specs
    yield f"{len(specs):,} tensors  {sum(spec.numel for spec in specs.values()):,} values"
    for name in sorted(specs):
        spec = specs[name]
        short = checkpoint.object_id(name)[:_SHORT]
        yield f"{name}  {spec.dtype} {list(spec.shape)}{_figures(checkpoint, name)}  {short}"


def _figures(checkpoint: Checkpoint, name: str) -> str:
    if DTYPES[checkpoint.specs[name].dtype].numpy is None:
        return ""  # values of less than a byte
    values = read_array(checkpoint, name).reshape(-1)
    if np.iscomplexobj(values):
        values = values.view(values.real.dtype)
    figures = compare_tensors(np.broadcast_to(np.zeros((), values.dtype), values.shape), values)
    bad = f"  {figures.nonfinite:,} not finite" if figures.nonfinite else ""
    return f"  norm {np.sqrt(figures.squared_b):.6g}  max {figures.max_abs or 0.0:.6g}{bad}"


def _bytes(path: Path) -> Iterator[str]:
    """What can be said of any file."""
    try:
        with open_opaque(path) as opened:
            yield _summary(opened.size, digest_of(opened))
    except Exception:  # not even that
        return
