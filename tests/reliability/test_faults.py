"""Every change of a repository, with every single operation on the disk failing, torn, dropped or stopped (rows 28-30).

One list of scenarios for all that writes. Whatever happens, the repository afterwards reads as before the change or as
after it, fsck finds nothing that matters, what was acknowledged stands, and the change can be made again.
"""

from __future__ import annotations

import errno
import hashlib
import os
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

from mvc.errors import MvcError, StorageError
from mvc.objects import ObjectId, Skeleton
from mvc.odb import loose_key
from mvc.odb.consolidation import FULL
from mvc.porcelain.checkout import checkout, file_bytes
from mvc.porcelain.commits import commit
from mvc.porcelain.lineages import list_lineages, rename
from mvc.porcelain.log import log
from mvc.porcelain.operations import undo
from mvc.porcelain.reindex import reindex
from mvc.porcelain.tags import create_tag
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository, check_repository
from mvc.repository.gc import collect
from mvc.storage import FileSystem
from mvc.testing.commits import loosen, put_commit
from mvc.testing.faults import Crash, FaultyFileSystem, PowerLossFileSystem

pytestmark = pytest.mark.usefixtures("files_at_rest")

#: of all disk operations of a change this many are tried in a quick run, evenly; all of them with --with-slow
QUICK = 6

Act = Callable[[Workspace], object]


def checkpoint(seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    base = np.random.default_rng(99).normal(size=(6, 4)).astype(np.float32)
    return save({"w": base + 0.1 * rng.normal(size=(6, 4)).astype(np.float32), "b": base[0]}, {"seed": str(seed)})


def put(workspace: Workspace, *seeds: int, **options: Any) -> None:
    """Commits checkpoints whose files lie beside the repository."""
    files = workspace.repository.root.parent / "files"
    files.mkdir(exist_ok=True)
    for seed in seeds:
        (files / f"{seed}.safetensors").write_bytes(checkpoint(seed))
    commit(workspace, [files / f"{seed}.safetensors" for seed in seeds], **options)


def damage_loose(workspace: Workspace) -> None:
    """A stored object of a commit that was taken away: without it nothing is missing. Also a half-written file."""
    put(workspace, 1, 7)
    undo(workspace)
    repository = workspace.repository
    loosen(repository)
    gone = next(operation for operation in repository.operations() if operation.removed).removed[0]
    spoil(repository.directory / loose_key(gone))
    (repository.directory / "objects" / "tmp-1-2").write_bytes(b"half")


def damage_pack(workspace: Workspace) -> None:
    """The same, in the pack that also holds commits that still count."""
    put(workspace, 1)
    repository = workspace.repository
    with repository.lock(), repository.odb.batch():
        commits = [put_commit(repository, seed) for seed in (1, 2)]
        repository.put(Skeleton(9, (), b"not used."))
    (pack,) = {repository.odb.key_of(commit) for commit in commits}
    spoil(repository.directory / pack)


def rubbish(workspace: Workspace) -> None:
    """Commits that count in several packs and files, one that was taken away, and objects that nothing leads to."""
    put(workspace, 1, 2)
    loosen(workspace.repository)
    workspace = Workspace.open(workspace.repository.root, author="t")
    put(workspace, 3, 4)
    put(workspace, 5)
    undo(workspace)
    with workspace.repository.lock(), workspace.repository.odb.batch():
        put_commit(workspace.repository, 1)


def many_packs(workspace: Workspace) -> None:
    """As many packs as the next commit makes one of."""
    for seed in range(FULL - 1):
        put(workspace, seed)
    assert len(workspace.repository.odb.packs) == FULL - 1


def spoil(path: Path) -> None:
    content = path.read_bytes()
    middle = len(content) // 3
    path.chmod(0o644)
    path.write_bytes(content[:middle] + bytes([content[middle] ^ 4]) + content[middle + 1 :])


def repair(workspace: Workspace) -> None:
    check_repository(workspace.repository, repair=True)


@dataclass(frozen=True)
class Scenario:
    """``prepare`` makes the state before, on a sound disk; ``act`` is what is disturbed."""

    name: str
    act: Act
    prepare: Act = lambda workspace: put(workspace, 1, 2)

    def __str__(self) -> str:
        return self.name


SCENARIOS = (
    Scenario("commit", lambda workspace: put(workspace, 3, 4, tag=None)),
    Scenario("commit and tag", lambda workspace: put(workspace, 3, tag="v1")),
    Scenario("the first commit", lambda workspace: put(workspace, 3), lambda workspace: None),
    Scenario("tag", lambda workspace: create_tag(workspace, "v1")),
    Scenario("rename", lambda workspace: rename(workspace, "HEAD", "mine")),
    Scenario("undo a commit", undo),
    Scenario("redo a commit", undo, lambda workspace: (put(workspace, 1, 2), undo(workspace))),
    Scenario("reindex", reindex),
    Scenario("fsck --repair", repair, damage_loose),
    Scenario("fsck --repair of a pack", repair, damage_pack),
    Scenario("a commit that makes one pack of many", lambda workspace: put(workspace, 30), many_packs),
    Scenario("gc", lambda workspace: collect(workspace.repository, grace=timedelta(0)), rubbish),
)


def name_of(repository: Repository, commit_id: ObjectId) -> str:
    """What a commit is called wherever the test's directory lies."""
    return Path(repository.commit(commit_id).path).name


def picture(root: Path) -> object:
    """All that a user can get out of the repository: names, lineages, and every file byte for byte."""
    workspace = Workspace.open(root, author="t")
    repository = workspace.repository
    state = repository.state()
    files = {}
    for commit_id in state.commits:
        (file,) = repository.manifest(repository.commit(commit_id).manifest).files
        content = b"".join(bytes(chunk) for chunk in file_bytes(repository, file))
        files[name_of(repository, commit_id)] = hashlib.sha256(content).hexdigest()
    told = log(workspace)
    names = sorted((row.name, tuple(sorted(Path(c.path).name for c in row.commits))) for row in told.lineages)
    tags = {name: name_of(repository, tagged) for name, tagged in state.tags.items()}
    return files, names, tags, sorted(row.name for row in list_lineages(workspace).lineages)


@dataclass
class Prepared:
    """A repository before the change, to be copied, and both pictures."""

    scenario: Scenario
    template: Path
    before: object
    after: object
    operations: int

    def copy(self, place: Path) -> Path:
        shutil.copytree(self.template, place, symlinks=True)
        return place / "repo"


def prepare(scenario: Scenario, tmp_path: Path) -> Prepared:
    template = tmp_path / "template"
    workspace = Workspace.of(Repository.init(template / "repo"), author="t")
    scenario.prepare(workspace)
    before = picture(template / "repo")
    made = tmp_path / "made"
    shutil.copytree(template, made)
    counted = FaultyFileSystem()
    act(scenario, made / "repo", counted)
    return Prepared(scenario, template, before, picture(made / "repo"), len(counted.operations))


def act(scenario: Scenario, root: Path, fs: FileSystem) -> None:
    scenario.act(Workspace.of(Repository.open(root, fs=fs), author="t"))


def points(prepared: Prepared, request: pytest.FixtureRequest) -> Iterator[int]:
    step = 1 if request.config.getoption("--with-slow") else max(1, prepared.operations // QUICK)
    start = prepared.operations % step if step > 1 else 0
    yield from range(start, prepared.operations, step)


def check(prepared: Prepared, root: Path, acknowledged: bool) -> bool:
    """Whether the change stands; AssertionError for anything but before or after."""
    now = picture(root)
    assert now in (prepared.before, prepared.after)
    assert now == prepared.after or not acknowledged, "what was acknowledged is lost"
    report = check_repository(Repository.open(root))
    allowed = "fsck" in prepared.scenario.name
    assert report.ok or allowed, report.findings
    stands = now == prepared.after
    if not stands:
        act(prepared.scenario, root, FileSystem())
        assert picture(root) == prepared.after
    assert check_repository(Repository.open(root), repair=True).ok or allowed
    assert check_repository(Repository.open(root)).ok
    return stands


def test_a_commit_makes_one_pack_of_many(tmp_path: Path) -> None:
    workspace = Workspace.of(Repository.init(tmp_path / "repo"), author="t")
    many_packs(workspace)
    put(workspace, 30)
    assert len(Repository.open(workspace.repository.root).odb.packs) == 1


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_stopped_anywhere(scenario: Scenario, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    prepared = prepare(scenario, tmp_path)
    assert prepared.operations > 5
    stood = []
    for n in points(prepared, request):
        root = prepared.copy(tmp_path / f"{n}")
        with pytest.raises(Crash):
            act(scenario, root, FaultyFileSystem(n))
        stood.append(check(prepared, root, acknowledged=False))
        shutil.rmtree(root.parent)
    if prepared.before != prepared.after:
        assert stood == sorted(stood) and not stood[0]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO], ids=os.strerror)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_a_disk_that_refuses_anywhere(
    scenario: Scenario, number: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """ENOSPC lasts, as a full disk does; EIO hits one operation."""
    prepared = prepare(scenario, tmp_path)
    for n in points(prepared, request):
        root = prepared.copy(tmp_path / f"{n}")
        acknowledged = True
        try:
            act(scenario, root, FaultyFileSystem(n, error=number, lasting=number == errno.ENOSPC))
        except StorageError as error:
            assert error.hint
            acknowledged = False
        check(prepared, root, acknowledged)
        shutil.rmtree(root.parent)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_power_lost_anywhere(scenario: Scenario, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """What was not synced is dropped, torn or kept at random, and names reach the disk in any order."""
    prepared = prepare(scenario, tmp_path)
    for n in (*points(prepared, request), prepared.operations):
        root = prepared.copy(tmp_path / f"{n}")
        lossy = PowerLossFileSystem(root, fail_at=n)
        try:
            act(scenario, root, lossy)
            acknowledged = True
        except Crash:
            acknowledged = False
        # the index is SQLite's own, which keeps it from power loss: here it is as it was, or gone
        for seed in range(2):
            after = tmp_path / f"{n}-{seed}" / "repo"
            after.parent.mkdir()
            lossy.power_loss(after, random.Random(1000 * n + seed))
            shutil.copytree(root.parent / "files", after.parent / "files") if (root.parent / "files").exists() else None
            check(prepared, after, acknowledged)
            shutil.rmtree(after.parent)
        shutil.rmtree(root.parent)


@pytest.mark.parametrize("fault", [None, errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("existing", [False, True])
def test_checkout_leaves_the_old_file_or_the_new_one(tmp_path: Path, fault: int | None, existing: bool) -> None:
    workspace = Workspace.of(Repository.init(tmp_path / "repo"), author="t")
    put(workspace, 1)
    old = b"what was here before" if existing else None
    target = tmp_path / "out" / "model.safetensors"

    def restore(fs: FileSystem) -> None:
        opened = Workspace.of(Repository.open(tmp_path / "repo", fs=fs), author="t")
        checkout(opened, "HEAD", directory=tmp_path, target=target, force=existing)

    def reset() -> None:
        shutil.rmtree(target.parent, ignore_errors=True)
        target.parent.mkdir()
        if old is not None:
            target.write_bytes(old)

    reset()
    counted = FaultyFileSystem()
    restore(counted)
    assert target.read_bytes() == checkpoint(1) and len(counted.operations) > 4
    for n in range(len(counted.operations)):
        reset()
        acknowledged = True
        try:
            restore(FaultyFileSystem(n, error=fault))
        except (Crash, MvcError):
            acknowledged = False
        now = target.read_bytes() if target.exists() else None
        assert now in (old, checkpoint(1))
        assert now == checkpoint(1) or not acknowledged
        if fault is not None:
            assert [path.name for path in target.parent.iterdir()] in ([target.name], [])
