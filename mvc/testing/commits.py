"""Small commits for tests that care about keeping, not about weights. Owns how such a commit is put together."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from mvc.objects import Commit, FileEntry, Manifest, ObjectId, Skeleton, TensorEntry, TensorSpec
from mvc.odb import loose_key
from mvc.repository import Repository

#: of every operation, so that equal histories are equal bytes
TIME = datetime(2024, 1, 1, tzinfo=UTC)


def put_commit(repository: Repository, seed: int, *, tensors: int = 2, numel: int = 64) -> ObjectId:
    """Stores one commit of ``tensors`` random tensors and returns its id. Equal seeds give equal commits.

    Needs the repository's lock; the commit counts once an operation names it.
    """
    rng = np.random.default_rng(seed)
    spec = TensorSpec("F32", (numel,))
    entries = []
    for index in range(tensors):
        data = rng.normal(size=numel).astype("<f4").tobytes()
        entries.append(TensorEntry(f"layer.{index}", repository.odb.put_tensor(spec, data), spec, "weight"))
    skeleton = repository.put(Skeleton(5, (), f"{seed:05}".encode()))
    manifest = repository.put(Manifest((FileEntry("", "opaque", 5, "0" * 64, skeleton, tuple(entries)),)))
    commit = Commit(manifest, f"{seed}.safetensors", "2024-01-01T00:00:00.000000+00:00", "tester", f"commit {seed}")
    return repository.put(commit)


def loosen(repository: Repository) -> None:
    """Takes every object out of its pack, so that each is a file, as if it had been put without a batch."""
    for key, pack in repository.odb.packs.items():
        for object_id, stored in pack.entries():
            repository.storage.put_if_absent(loose_key(object_id), (stored,))
        repository.storage.delete(key)


def add_commit(repository: Repository, seed: int, **declared: str) -> ObjectId:
    """Makes one commit as porcelain does: lock, batch, operation. ``declared`` are tags, name=name."""
    with repository.lock(command=f"commit {seed}"):
        with repository.odb.batch():
            commit = put_commit(repository, seed)
            tags = dict.fromkeys(declared, commit)
            made = repository.propose(command="commit", author="tester", commits=[commit], tags=tags, time=TIME)
        repository.accept(made)
    return commit
