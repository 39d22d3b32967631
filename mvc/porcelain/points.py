"""Commits as points, as far as the index has them: no manifest is read and no tensor. Owns that view of the index."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from mvc.geometry import Signature
from mvc.index import ArchitectureRow, CommitRow, PointRow, Reader, chunked
from mvc.objects import ObjectId
from mvc.porcelain.signatures import read_signatures


@dataclass(frozen=True)
class Point:
    """Object and signature of every trainable tensor, by name."""

    objects: Mapping[str, ObjectId]
    signatures: Mapping[str, Signature]

    @cached_property
    def vector(self) -> npt.NDArray[np.float32]:
        """Signatures in the order of names."""
        return joined(self.signatures)


def joined(signatures: Mapping[str, Signature]) -> npt.NDArray[np.float32]:
    """Signatures as one vector, in the order of names."""
    parts = [signatures[name].values for name in sorted(signatures)]
    return np.concatenate(parts) if parts else np.empty(0, np.float32)


def read_contents(reader: Reader, commits: Iterable[str]) -> dict[str, str]:
    """Commit → content of its trainable tensors."""
    return {
        commit: content
        for piece in chunked(map(ObjectId, commits))
        for commit, content in CommitRow.pick(reader, "id", "content", id=piece)
    }


def read_points(reader: Reader, commits: Iterable[str]) -> dict[str, Point]:
    """Commit → point; of a commit without trainable tensors one without any."""
    contents = read_contents(reader, commits)
    pieces = chunked(map(ObjectId, contents.values()))
    rows = [row for piece in pieces for row in PointRow.find(reader, content=piece)]
    told = ArchitectureRow.find(reader, id={row.architecture for row in rows})
    names = {row.id: [name for name, _ in row.names] for row in told}
    signatures = read_signatures(reader, {tensor for row in rows for tensor in row.tensors})
    points = {}
    for row in rows:
        objects = dict(zip(names[row.architecture], row.tensors, strict=True))
        known = {name: signatures[tensor] for name, tensor in objects.items() if tensor in signatures}
        points[row.content] = Point(objects, known)
    return {commit: points.get(content, Point({}, {})) for commit, content in contents.items()}
