"""gc among tensors that rest on others: what goes takes nothing with it, however the chain ran."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from mvc.objects import Commit, FileEntry, Manifest, Memory, ObjectId, Operation, Skeleton, TensorEntry, TensorSpec
from mvc.odb import ObjectDatabase, Reencoder, repacking
from mvc.odb.packing import PackWriter
from mvc.repository import Repository, check_repository
from mvc.repository.gc import collect
from mvc.storage import MemoryStorage
from mvc.testing.commits import TIME, loosen

SPEC = TensorSpec("F32", (64, 64))
LENGTH = 16


def chain(root: Path, *, two: bool) -> tuple[Repository, list[ObjectId], list[bytes], list[ObjectId]]:
    """Commits of one tensor each, every one resting on the one or two before it: commits, values, tensors."""
    repository = Repository.init(root)
    rng = np.random.default_rng(0)
    weights = rng.normal(size=SPEC.shape) * 0.02
    commits, values, tensors = [], [], []
    for number in range(LENGTH):
        values.append(weights.astype("<f4").tobytes())
        with repository.lock():
            with repository.odb.batch():
                hints = tensors[: -3 if len(tensors) > 2 else None : -1] if two else tensors[-1:]
                tensors.append(repository.odb.put_tensor(SPEC, values[-1], bases=hints))
                skeleton = repository.put(Skeleton(0, (), b""))
                file = FileEntry(
                    "", "opaque", 0, f"{number:064}", skeleton, (TensorEntry("w", tensors[-1], SPEC, "weight"),)
                )
                commits.append(repository.put(Commit(repository.put(Manifest((file,))), f"{number}", "t", "a")))
                made = repository.propose(command="commit", author="a", commits=commits[-1:])
            repository.accept(made)
        weights = weights + rng.normal(size=SPEC.shape) * 1e-4
    return repository, commits, values, tensors


def give_up(repository: Repository, commits: list[ObjectId], tensors: list[ObjectId]) -> Operation:
    with repository.lock():
        with repository.odb.batch():
            settings = {
                f"gone:{commit}": repository.put(Memory(commit, "2024-01-01", "a test", {tensor: None}, {}, {}, 0.0))
                for commit, tensor in zip(commits, tensors, strict=True)
            }
            made = repository.propose(command="gc --keep", author="a", settings=settings)
        repository.accept(made)
    return made


@pytest.mark.parametrize("two", [False, True])
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("kept", ["commits", "files", "pack", "packs"])
def test_whatever_is_given_up_the_rest_can_be_read(
    tmp_path: Path, two: bool, seed: int, kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository, commits, values, tensors = chain(tmp_path, two=two)
    assert max(repository.odb.depth(tensor) for tensor in tensors) > 3
    if kept == "files":
        loosen(repository)
    if kept == "packs":  # as of a repository so large that what is given up fills some of them
        monkeypatch.setattr(repacking, "PACK_SIZE", 1)
    if kept.startswith("pack"):
        with repository.lock():
            search = Reencoder(repository.odb)
            collect(repository, better=lambda one: search.reencode(one, tensors[:2]))
    rng = random.Random(seed)
    left = list(range(LENGTH))
    while len(left) > 2:
        gone = rng.sample(left, rng.randint(1, len(left) // 2))
        left = [number for number in left if number not in gone]
        give_up(repository, [commits[number] for number in gone], [tensors[number] for number in gone])
        repository = Repository.open(tmp_path) if rng.random() < 0.5 else repository
        report = collect(repository, grace=timedelta(days=1), now=datetime.now(UTC))
        assert report.resting == 0
        for reader in (repository, Repository.open(tmp_path)):
            assert [bytes(reader.checkpoint(commits[n]).read("w")) for n in left] == [values[n] for n in left]
            assert not any(reader.odb.contains(tensors[number]) for number in gone)
        assert check_repository(repository).findings == ()


def test_what_objects_rest_on_is_not_remembered_from_before(tmp_path: Path) -> None:
    """Another process stores a tensor as the difference from one that nothing needs: that one stays, too."""
    repository = Repository.init(tmp_path)
    rng = np.random.default_rng(0)
    spec = TensorSpec("F32", (4096,))
    first = rng.normal(size=4096).astype("<f4")
    second = (first + 1e-4 * rng.normal(size=4096)).astype("<f4")
    with repository.lock():
        with repository.odb.batch():
            base = repository.odb.put_tensor(spec, first.tobytes())
            needed = repository.odb.put_tensor(spec, second.tobytes())
            skeleton = repository.put(Skeleton(0, (), b""))
            entry = TensorEntry("w", needed, spec, "weight")
            file = FileEntry("", "opaque", 0, "0" * 64, skeleton, (entry,))
            commit = repository.put(Commit(repository.put(Manifest((file,))), "x", "t", "a"))
            made = repository.propose(command="commit", author="a", commits=[commit], time=TIME)
        repository.accept(made)
    assert repository.odb.bases_of(needed) == ()
    other = ObjectDatabase(MemoryStorage())
    other.put_tensor(spec, first.tobytes())
    assert other.put_tensor(spec, second.tobytes(), bases=[base]) == needed
    assert other.bases_of(needed) == (base,)
    stranger = Repository.open(tmp_path)
    [old] = stranger.odb.packs
    objects = dict(stranger.odb.packs[old].entries()) | {needed: other.stored_form(needed)}
    stranger.odb.ignore(old)
    writer = PackWriter(stranger.storage)
    for object_id, stored in objects.items():
        writer.append(object_id, (stored,))
    writer.finish()
    stranger.storage.delete(old)
    report = collect(repository, grace=timedelta(0), now=datetime.now(UTC) + timedelta(days=400))
    assert report.resting == 1 and report.removed == 0
    assert bytes(Repository.open(tmp_path).checkpoint(commit).read("w")) == second.tobytes()
