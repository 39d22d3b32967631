"""What the index says of one commit as a fact. Owns turning stored objects into rows, and what stands for damaged ones.

A commit that cannot be read has rows too, so that one damaged object does not hide all others.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from mvc.errors import IntegrityError
from mvc.geometry import architecture_of, trainable
from mvc.index import ArchitectureRow, CommitRow, FileRow, PointRow
from mvc.objects import Manifest, ObjectId, TensorSpec
from mvc.repository import Repository


@dataclass(frozen=True)
class Facts:
    commit: CommitRow
    point: PointRow
    architecture: ArchitectureRow
    files: tuple[FileRow, ...]


def read_facts(repository: Repository, commit_id: ObjectId, arrival: int) -> Facts:
    """Rows of a commit. Raises nothing for damaged objects: see `damaged`."""
    unknown = CommitRow(commit_id, arrival, commit_id, commit_id, "", "", "", "", "", None, None, None, None, {}, {}, 0)
    try:
        commit = repository.commit(commit_id)
    except IntegrityError:
        return _placeless(unknown, "damaged")
    row = replace(
        unknown,
        manifest=commit.manifest,
        content=commit.manifest,
        path=commit.path,
        message=commit.message,
        author=commit.author,
        time=commit.time,
        step=commit.step,
        step_source=commit.step_source,
        run=commit.run,
        parent=commit.parent,
        metrics=dict(commit.metrics),
        extra=dict(commit.extra),
    )
    try:
        manifest = repository.manifest(commit.manifest)
    except IntegrityError:
        return _placeless(row, "damaged")
    return _placed(replace(row, bytes=manifest.nbytes), manifest)


def damaged(facts: Facts) -> Facts:
    """The same commit as one whose weights cannot be read."""
    return replace(_placeless(facts.commit, "damaged"), files=facts.files)


def points_of(specs: Mapping[str, TensorSpec]) -> dict[str, TensorSpec]:
    """Specs of the tensors that make the point, by name."""
    return dict(sorted(trainable(specs).items()))


def content_of(tensors: Mapping[str, ObjectId]) -> str:
    """What equal weights have in common: digest of the point's names, sorted, and tensors."""
    return hashlib.blake2b(json.dumps([list(tensors), [*tensors.values()]]).encode("ascii"), digest_size=32).hexdigest()


def _placed(row: CommitRow, manifest: Manifest) -> Facts:
    weights = manifest.weights
    specs = points_of({name: entry.spec for name, entry in weights.items()})
    files = tuple(FileRow(manifest.id, file.path, file.format, file.size, file.digest) for file in manifest.files)
    if not specs:
        return replace(_placeless(row, "none"), files=files)
    architecture = ArchitectureRow(
        id=architecture_of(specs).id,
        names=[[name, list(spec.shape)] for name, spec in specs.items()],
        tensors=len(specs),
        weights=sum(spec.numel for spec in specs.values()),
    )
    tensors = {name: weights[name].object for name in specs}
    content = content_of(tensors)
    return Facts(
        replace(row, content=content, architecture=architecture.id),
        PointRow(content, architecture.id, [*tensors.values()]),
        architecture,
        files,
    )


def _placeless(row: CommitRow, why: str) -> Facts:
    """A commit that is no point in weight space; ``why`` stands for its architecture."""
    return Facts(
        replace(row, content=row.manifest, architecture=why),
        PointRow(row.manifest, why, []),
        ArchitectureRow(why, [], 0, 0),
        (),
    )
