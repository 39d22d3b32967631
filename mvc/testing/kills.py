"""Processes that are killed at work, and what they leave behind. Owns the work that they do and what must hold after.

A process is forked from one that has imported everything, does one change after the other and says which of them were
acknowledged; at some moment it gets SIGKILL. Then the newest operation is the acknowledged one, or one further; every
commit is there byte for byte; and the next process goes on with what this one left.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from mvc.errors import InputError
from mvc.objects import ObjectId
from mvc.porcelain.checkout import file_bytes
from mvc.porcelain.commits import commit
from mvc.porcelain.lineages import list_lineages, rename
from mvc.porcelain.log import log
from mvc.porcelain.operations import undo
from mvc.porcelain.reindex import reindex
from mvc.porcelain.tags import create_tag, delete_tag, list_tags
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository, check_repository
from mvc.repository.gc import collect

#: seconds within which a process is killed, from when it has acknowledged none to two changes
LONGEST = 0.2


def checkpoint(seed: int) -> bytes:
    """A checkpoint near those of other seeds of the same ten, as of one run."""
    base = np.random.default_rng(seed // 10).normal(size=(16, 12)).astype(np.float32)
    step = np.random.default_rng(10_000 + seed).normal(size=(16, 12)).astype(np.float32)
    return save({"w": base + 0.05 * (seed % 10) * step, "b": base[0]}, {"seed": str(seed)})


def _commit(workspace: Workspace, rng: random.Random) -> None:
    with tempfile.TemporaryDirectory(dir=workspace.repository.root) as directory:
        paths = []
        for seed in rng.sample(range(1000), rng.choice((1, 1, 2))):
            paths.append(Path(directory) / f"{seed}.safetensors")
            paths[-1].write_bytes(checkpoint(seed))
        commit(workspace, paths, message=" ".join(path.stem for path in paths))


def _tag(workspace: Workspace, rng: random.Random) -> None:
    name = f"t{rng.randrange(5)}"
    if any(row.name == name for row in list_tags(workspace).tags):
        delete_tag(workspace, name)
    else:
        create_tag(workspace, name)


def _rename(workspace: Workspace, rng: random.Random) -> None:
    if lineages := list_lineages(workspace).lineages:
        rename(workspace, rng.choice(lineages).name, f"run-{rng.randrange(1000)}")


def _undo(workspace: Workspace, rng: random.Random) -> None:
    undo(workspace)


def _reindex(workspace: Workspace, rng: random.Random) -> None:
    reindex(workspace)


def _collect(workspace: Workspace, rng: random.Random) -> None:
    collect(workspace.repository, grace=rng.choice((timedelta(0), timedelta(days=1))))


Work = Callable[[Workspace, random.Random], None]
#: what a process does, and how often beside the others
WORK: Mapping[Work, int] = {
    _commit: 6,
    _tag: 2,
    _rename: 1,
    _undo: 2,
    _reindex: 1,
    _collect: 2,
}


@dataclass
class Tally:
    """``kills``: how many processes were killed; ``acknowledged``: changes; ``finished``: of those that were not
    acknowledged, how many stood all the same."""

    kills: int = 0
    acknowledged: int = 0
    finished: int = 0
    found: Counter[str] = field(default_factory=Counter)


def kill_loop(root: Path, kills: int, seed: int, work: Mapping[Work, int] = WORK) -> Tally:
    """Kills so many processes at work on a new repository in ``root``. Raises AssertionError where a promise breaks."""
    rng, tally = random.Random(seed), Tally()
    repository = Repository.init(root)
    _commit(Workspace.of(repository, author="k"), rng)
    while tally.kills < kills:
        before = repository.head()
        acknowledged = _killed(root, rng, work)
        tally.kills += 1
        tally.acknowledged += len(acknowledged)
        tally.finished += _check(root, acknowledged[-1] if acknowledged else before)
        repository = Repository.open(root)
        if tally.kills % 20 == 0 or tally.kills == kills:
            tally.found.update(_check_whole(root))
    return tally


def _killed(root: Path, rng: random.Random, work: Mapping[Work, int]) -> list[ObjectId]:
    """Heads that a process acknowledged before it was killed."""
    reading, writing = os.pipe()
    seed, changes, pause = rng.random(), rng.choice((0, 0, 1, 1, 2)), rng.random() * LONGEST
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            _work(root, random.Random(seed), work, writing)
        except BaseException:  # the work has no end; a copy of the parent must not go on with what the parent does
            traceback.print_exc()
        finally:
            os._exit(70)
    os.close(writing)
    with open(reading, "rb") as pipe:
        lines = [pipe.readline() for _ in range(1 + changes)]
        time.sleep(pause)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), "the process failed before it was killed"
        lines += pipe.read().split(b"\n")[:-1]  # a torn last line acknowledges nothing
    return [ObjectId(line.decode().strip()) for line in lines[1:]]  # the first one says that it is at work


def _work(root: Path, rng: random.Random, work: Mapping[Work, int], pipe: int) -> None:
    workspace = Workspace.open(root, author="k")
    os.write(pipe, b"at work\n")
    while True:
        (chosen,) = rng.choices([*work], [*work.values()])
        try:
            chosen(workspace, rng)
        except InputError:  # such as an undo of what something stands on
            continue
        os.write(pipe, f"{workspace.repository.head()}\n".encode())


def _check(root: Path, acknowledged: ObjectId | None) -> bool:
    """Whether one change more than those acknowledged stands; raises AssertionError for anything else."""
    repository = Repository.open(root)
    head = repository.head()
    further = head != acknowledged
    if further:
        assert head is not None and repository.operation(head).parents == (acknowledged,), (
            "an acknowledged change is lost"
        )
    repository.state()
    return further


def _check_whole(root: Path) -> list[str]:
    """Codes of what fsck finds, which may only be what takes nothing away; every commit and the index are looked at."""
    workspace = Workspace.open(root, author="k")
    repository = workspace.repository
    report = check_repository(repository)
    assert report.ok, report.findings
    commits = repository.state().commits
    for commit_id in commits:
        record = repository.commit(commit_id)
        (file,) = repository.manifest(record.manifest).files
        content = b"".join(bytes(chunk) for chunk in file_bytes(repository, file))
        assert _digest(content) == _digest(checkpoint(int(Path(record.path).stem)))
    assert sorted(row.id for lineage in log(workspace).lineages for row in lineage.commits) == sorted(commits)
    assert check_repository(repository, repair=True).ok
    return [finding.code for finding in report.findings]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
