"""Where models lie in the latent space of one of the repository's embedders. Owns the index's cache of that.

A commit is embedded once: its place is kept by its weights' content and the embedder's id. Nothing is embedded before
somebody asks, so neither `commit` nor `reindex` ever waits for an embedder.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np

from mvc.index import Connection, LatentRow, chunked, insert_rows
from mvc.objects import Checkpoint, ObjectId, read_array
from mvc.porcelain.embedders import Embedder, Floats, Kept, load_embedder, newest_embedder
from mvc.porcelain.points import read_contents
from mvc.porcelain.progress import Report, silent
from mvc.porcelain.workspace import Workspace

#: models that are embedded at once
_BATCH = 256


def weights_of(checkpoint: Checkpoint, names: Sequence[str]) -> Floats:
    """The named tensors' values in single precision, joined [d]; too large ones are infinite. Raises IntegrityError."""
    with np.errstate(over="ignore"):
        return np.concatenate([read_array(checkpoint, name).astype(np.float32).reshape(-1) for name in names])


class LatentSpace:
    """Places [latent] of models of one architecture; NaN for a model whose weights are not all finite.

    Errors are those of the embedder's loading, and IntegrityError for weights that cannot be read.
    """

    def __init__(self, workspace: Workspace, kept: Kept) -> None:
        self.kept = kept
        self._workspace = workspace

    @classmethod
    def of(cls, workspace: Workspace, architecture: str) -> LatentSpace | None:
        """That of the embedder in use for the architecture; None where there is none."""
        kept = newest_embedder(workspace, architecture)
        return None if kept is None else cls(workspace, kept)

    @cached_property
    def embedder(self) -> Embedder:
        return load_embedder(self._workspace, self.kept)

    def place(self, checkpoint: Checkpoint) -> Floats:
        """[latent] of one model."""
        latent: Floats = self._embed(weights_of(checkpoint, [*self.embedder.shapes])[None])[0]
        return latent

    def places(self, commits: Sequence[str], progress: Report | None = None) -> Floats:
        """[n, latent] of these commits; those that the cache lacks are embedded, and kept there."""
        contents = self._workspace.read(lambda connection: read_contents(connection, commits))
        first = {contents[commit]: commit for commit in reversed(commits)}
        known = self._workspace.read(lambda connection: _known(connection, self.kept.commit, first))
        missing = [content for content in first if content not in known]
        fresh: dict[str, Floats] = {}
        for start in range(0, len(missing), _BATCH):
            (progress or silent)(start, len(missing), "embedding")
            piece = missing[start : start + _BATCH]
            weights = np.stack([self._weights(first[content]) for content in piece])
            fresh |= zip(piece, self._embed(weights), strict=True)
        if fresh:
            self._workspace.remember(lambda connection: _remember(connection, self.kept.commit, fresh))
        found = {**known, **fresh}
        return np.stack([found[contents[commit]] for commit in commits])

    def _weights(self, commit: str) -> Floats:
        return weights_of(self._workspace.repository.checkpoint(ObjectId(commit)), [*self.embedder.shapes])

    def _embed(self, weights: Floats) -> Floats:
        finite = np.isfinite(weights).all(axis=1, keepdims=True)  # [n, 1]
        latents = self.embedder.embed(np.where(finite, weights, 0).astype(np.float32))
        return np.where(finite, latents, np.float32(np.nan))


def _rows(connection: Connection, embedder: ObjectId, contents: Mapping[str, object]) -> Iterator[LatentRow]:
    column = LatentRow.TABLE.c
    for piece in chunked(map(ObjectId, contents)):
        yield from LatentRow.select(connection, column.embedder == embedder, column.content.in_(piece))


def _known(connection: Connection, embedder: ObjectId, contents: Mapping[str, object]) -> dict[str, Floats]:
    return {row.content: np.frombuffer(row.latent, "<f4") for row in _rows(connection, embedder, contents)}


def _remember(connection: Connection, embedder: ObjectId, fresh: Mapping[str, Floats]) -> None:
    """Another reader may have been there first."""
    there = {row.content for row in _rows(connection, embedder, fresh)}
    new = [(content, latent) for content, latent in fresh.items() if content not in there]
    insert_rows(connection, [LatentRow(content, embedder, latent.astype("<f4").tobytes()) for content, latent in new])
