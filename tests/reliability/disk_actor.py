"""What `test_real_disks.py` runs in a process of its own, on a file system that is really full, really read-only, or
whose system calls really fail. Prints one JSON object.

    python disk_actor.py full|quota|readonly DIRECTORY

``full`` mounts a small tmpfs on DIRECTORY, which takes a mount namespace of its own (``unshare -rm``).
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from mvc.errors import MvcError, StorageError
from mvc.porcelain.checkout import checkout
from mvc.porcelain.commits import commit
from mvc.porcelain.log import log
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository, check_repository


def model(seed: int) -> bytes:
    """Some 80 kB that no codec makes smaller by much."""
    rng = np.random.default_rng(seed)
    return save({f"w{n}": rng.normal(size=(64, 60)).astype(np.float32) for n in range(5)})


def attempt(root: Path, files: Path, seed: int) -> str:
    """Commits one model: "done", or the code of what was raised, which is a StorageError."""
    path = files / f"{seed}.safetensors"
    if not path.exists():
        path.write_bytes(model(seed))
    try:
        commit(Workspace.open(root, author="t"), [path])
    except StorageError as error:
        assert error.hint and error.message
        return "refused"
    return "done"


def check(root: Path, expected: int, *, repair: bool = False) -> None:
    """So many commits, each whole, and nothing damaged; also where nothing can be written any more."""
    workspace = Workspace.open(root, author="t")
    commits = workspace.repository.state().commits
    assert len(commits) == expected, (len(commits), expected)
    assert sum(len(row.commits) for row in log(workspace).lineages) == expected
    report = check_repository(workspace.repository, repair=repair)
    assert report.ok, report.findings
    for commit_id in commits:
        stored = workspace.repository.checkpoint(commit_id)
        assert all(stored.read(name) for name in stored.specs)


def rounds(
    root: Path, files: Path, limits: range, limited: Callable[[int], contextlib.AbstractContextManager[None]]
) -> Counter[str]:
    """Tries a commit under every limit, then without one."""
    Repository.init(root)
    told: Counter[str] = Counter({attempt(root, files, 0): 1})
    held = 1
    for number, limit in enumerate(limits, start=1):
        with limited(limit):
            outcome = attempt(root, files, number)
            told[outcome] += 1
            held += outcome == "done"
            check(root, held)
        if outcome != "done":
            assert attempt(root, files, number) == "done"
            held += 1
        check(root, held, repair=True)
    return told


def full(place: Path) -> Counter[str]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)], check=True)
    files = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else place.parent
    files = files / f"mvc-disk-{os.getpid()}"
    files.mkdir()
    filler = place / "filler"

    @contextlib.contextmanager
    def limited(room: int):  # type: ignore[no-untyped-def]
        free = os.statvfs(place)
        with filler.open("wb") as file:
            file.write(bytes(max(0, free.f_bavail * free.f_bsize - room)))
        try:
            yield
        finally:
            filler.unlink()

    try:
        return rounds(place / "repo", files, range(0, 200_000, 12_288), limited)
    finally:
        subprocess.run(["rm", "-r", str(files)], check=True)


def quota(place: Path) -> Counter[str]:
    """No file may grow beyond a limit: the write that would cross it fails, as on a disk with quotas."""

    @contextlib.contextmanager
    def limited(size: int):  # type: ignore[no-untyped-def]
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    files = place / "files"
    files.mkdir()
    # models are written before the limit holds
    for seed in range(12):
        (files / f"{seed}.safetensors").write_bytes(model(seed))
    return rounds(place / "repo", files, range(1, 90_000, 9_000), limited)


def _commit_one(workspace: Workspace, place: Path) -> None:
    commit(workspace, [place / "files" / "1.safetensors"])


def _checkout_one(workspace: Workspace, place: Path) -> None:
    checkout(workspace, "HEAD", directory=place, target=place / "x.safetensors")


def readonly(place: Path) -> Counter[str]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)], check=True)
    root, files = place / "repo", place / "files"
    files.mkdir()
    Repository.init(root)
    assert attempt(root, files, 0) == "done"
    (files / "1.safetensors").write_bytes(model(1))
    told: Counter[str] = Counter()
    for with_index in (True, False):
        if not with_index:
            for path in (root / ".mvc" / "index").iterdir():
                path.unlink()
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        check(root, 1)
        workspace = Workspace.open(root, author="t")
        for act in (_commit_one, _checkout_one):
            try:
                act(workspace, place)
            except MvcError as error:
                cause = error.__cause__
                told[type(error).__name__] += 1
                assert "read-only" in error.message, error.message
                assert not isinstance(cause, OSError) or cause.errno == errno.EROFS
        subprocess.run(["mount", "-o", "remount,rw", str(place)], check=True)
    assert attempt(root, files, 1) == "done"
    check(root, 2)
    return told


if __name__ == "__main__":
    print(json.dumps({"full": full, "quota": quota, "readonly": readonly}[sys.argv[1]](Path(sys.argv[2]))))
