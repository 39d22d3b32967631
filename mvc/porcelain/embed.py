"""What a repository's embedders are asked for: which there are, and where models lie in their latent spaces."""

from __future__ import annotations

import io
from collections.abc import Collection, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np

from mvc.errors import ExistsError, InputError
from mvc.porcelain.embedders import (
    Floats,
    Kept,
    chosen_embedder,
    find_embedder,
    kept_embedders,
    newest_embedder,
    no_embedder,
    remove_embedder,
    tell,
)
from mvc.porcelain.latents import LatentSpace
from mvc.porcelain.progress import Report
from mvc.porcelain.ranges import chosen
from mvc.porcelain.reading import History, read_model
from mvc.porcelain.results.embedders import EmbedApplyResult, EmbedListResult, LatentRow
from mvc.porcelain.sides import open_found
from mvc.porcelain.workspace import Workspace
from mvc.storage import atomic_write, exists


def list_embedders(workspace: Workspace, name: str | None = None) -> EmbedListResult:
    """Every version, by architecture, the oldest first; or that called ``name``, with the ids of the commits that it
    learnt from. Raises IntegrityError, NotFoundError."""
    if name is not None:
        found = find_embedder(workspace, name)
        in_use = found == newest_embedder(workspace, found.architecture)
        return EmbedListResult((tell(workspace, found, in_use=in_use, commits=True),))
    rows = []
    for _, group in groupby(kept_embedders(workspace), key=lambda one: one.architecture):
        versions = list(group)
        rows += [tell(workspace, one, in_use=one is versions[-1]) for one in versions]
    return EmbedListResult(tuple(rows))


def remove(workspace: Workspace, name: str) -> EmbedListResult:
    """Takes a version away from those in use; tells which it was. Raises NotFoundError."""
    return EmbedListResult((tell(workspace, remove_embedder(workspace, name), in_use=False),))


def apply(
    workspace: Workspace,
    revisions: Sequence[str] = (),
    *,
    directory: Path,
    embedder: str | None = None,
    output: Path | None = None,
    force: bool = False,
    progress: Report | None = None,
) -> EmbedApplyResult:
    """Latents of commits and files of one architecture, or of all commits of that of ``embedder`` (unless given, the
    newest of the only architecture that has one). With ``output``, an .npz gets ``latents`` [n, latent] and ``names``.

    Raises NotFoundError where no embedder fits, InputError for models of several architectures, or with values that are
    not finite, FormatError, ExistsError for an ``output`` that is there where ``force`` is not set.
    """
    if output is not None and exists(workspace.repository.fs, output) and not force:
        raise ExistsError(f"{str(output)!r} is already there", hint="overwrite it with --force")
    history = History(workspace)
    named = None if embedder is None else find_embedder(workspace, embedder)
    if revisions:
        sides = chosen(workspace, history, revisions, directory=directory)
    else:
        named = named or chosen_embedder(workspace)
        rows = (row for row in history.lineages if row.architecture == named.architecture)
        sides = [commit.id for row in rows for commit in row.commits]
    if not sides:
        raise InputError("no checkpoint is meant by that", hint="name commits or files, as in: mvc embed apply HEAD")
    space = LatentSpace(workspace, _fitting(workspace, {_architecture(history, side) for side in sides}, named))
    commits = [side for side in sides if isinstance(side, str)]
    latents: dict[str | Path, Floats] = (
        dict(zip(commits, space.places(commits, progress), strict=True)) if commits else {}
    )
    for side in sides:
        if isinstance(side, Path):
            with open_found(workspace, side) as opened:
                latents[side] = space.place(opened.checkpoint)
    broken = next((side for side in sides if not np.isfinite(latents[side]).all()), None)
    if broken is not None:
        message = f"{str(broken)!r} has values that are not finite in single precision, and no place in a latent space"
        raise InputError(message, hint="look at it with: mvc check")
    if output is not None:
        _write(workspace, output, {str(side): latents[side] for side in sides})
    told = tuple(_told(history, side, space.kept, latents[side]) for side in sides)
    return EmbedApplyResult(told, None if output is None else str(output))


def _told(history: History, side: str | Path, embedder: Kept, latent: Floats) -> LatentRow:
    home = history.lineage(side) if isinstance(side, str) else None
    placed = history.placed(side) if isinstance(side, str) else None
    return LatentRow(
        commit=side if isinstance(side, str) else None,
        lineage=None if home is None else home.name,
        position=None if placed is None else placed.position,
        path=str(side) if isinstance(side, Path) else None,
        embedder=embedder.commit,
        latent=tuple(map(float, latent)),
    )


def _architecture(history: History, side: str | Path) -> str:
    home = history.lineage(side) if isinstance(side, str) else None
    if home is not None:
        return home.architecture
    if isinstance(side, str):
        return history.model(side).architecture
    with open_found(history.workspace, side) as opened:
        return read_model(opened.checkpoint).architecture


def _fitting(workspace: Workspace, architectures: Collection[str], named: Kept | None) -> Kept:
    """The embedder ``named``, or the newest, for the one architecture that all models have."""
    if len(architectures) > 1:
        raise InputError("these models are of several architectures", hint="embed those of one at a time")
    [architecture] = architectures
    fitting = [one for one in kept_embedders(workspace) if one.architecture == architecture]
    if named is not None and named not in fitting:
        raise InputError(f"embedder {named.name} is for another architecture", hint="list them with: mvc embed list")
    if not fitting:
        raise no_embedder(f"there is no embedder for architecture {architecture[:12]}")
    return named or fitting[-1]


def _write(workspace: Workspace, output: Path, latents: dict[str, Floats]) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, latents=np.stack([*latents.values()]), names=np.array([*latents]))
    atomic_write(workspace.repository.fs, output, (buffer.getvalue(),), overwrite=True)
