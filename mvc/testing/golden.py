"""The repository of format 2 that is kept as a fixture. Owns what is in it: everything that the format has.

``tests/repository/golden/format-2.tar.gz`` holds what `write_golden` wrote when the format was new, and
``format-2-checksums.tar.gz`` what it wrote when packs got checksums; they are read forever.

    python -m mvc.testing.golden tests/repository/golden/NAME.tar.gz
"""

from __future__ import annotations

import io
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mvc.objects import GONE, Commit, FileEntry, Manifest, Memory, ObjectId, Skeleton, TensorEntry, TensorSpec
from mvc.odb import loose_key
from mvc.repository import Repository
from mvc.testing.commits import TIME

NAME = "format-2"
#: the tensor that the fourth commit gave up
GIVEN_UP = "noise"


def tensors(step: int) -> Mapping[str, tuple[TensorSpec, bytes]]:
    """Of the step's checkpoint: one that barely moves, one that never does, narrow, whole and odd ones."""
    rng = np.random.RandomState(7)  # whose numbers never change
    weight = rng.standard_normal((60, 40)).astype("<f4")
    for _ in range(step):
        weight = (weight * (1 + 1e-5 * rng.standard_normal(weight.shape))).astype("<f4")
    frozen = np.random.RandomState(8).standard_normal(500).astype("<f4")
    return {
        "weight": (TensorSpec("F32", (60, 40)), weight.tobytes()),
        "frozen": (TensorSpec("F32", (500,)), frozen.tobytes()),
        "half": (TensorSpec("BF16", (60, 40)), weight.view("<u4").__rshift__(16).astype("<u2").tobytes()),
        "steps": (TensorSpec("I64", ()), step.to_bytes(8, "little")),
        "noise": (TensorSpec("U8", (300,)), np.random.RandomState(100 + step).bytes(300)),
        "tokens": (TensorSpec("U8", (40, 50)), bytes(range(50)) * 40),
        "none": (TensorSpec("F64", (0, 3)), b""),
    }


def write_golden(root: Path) -> Repository:
    """Five commits in packs and loose files, one undone, one that gave up a tensor; differences from one and from two
    bases; tags and settings."""
    repository = Repository.init(root)
    put: list[Mapping[str, ObjectId]] = []
    with repository.lock(command="golden"):
        with repository.odb.batch():
            commits = [_put(repository, step, put) for step in range(3)]
        repository.append(command="commit", author="Ann", commits=commits, tags={"v1": commits[0]}, time=TIME)
        commits.append(_put(repository, 3, put))  # not in a batch: loose files
        repository.append(command="commit", author="Ann", commits=commits[3:], tags={"v2": commits[3]}, time=TIME)
        repository.append(command="tag --delete", author="Bob", tags={"v2": None}, time=TIME)
        settings: dict[str, str | None] = {f"name:{commits[0]}": "first", f"pin:{commits[2]}": commits[0]}
        repository.append(command="lineage rename", author="Bob", settings=settings, time=TIME)
        with repository.odb.batch():
            commits.append(_put(repository, 4, put))
        repository.append(command="commit", author="Ann", commits=commits[4:], time=TIME)
        repository.append(command="undo 0123456789ab", author="Bob", removed=commits[4:], time=TIME)
        lost = put[3][GIVEN_UP]
        memory = Memory(commits[3], TIME.isoformat(), "mvc gc --keep last=1", {lost: None}, {}, {}, 0.0)
        with repository.odb.batch():
            settings = {f"{GONE}{commits[3]}": repository.put(memory)}
        repository.append(command="gc --keep", author="Bob", settings=settings, time=TIME)
        repository.storage.delete(loose_key(lost))  # as gc does after that
    return repository


def _put(repository: Repository, step: int, put: list[Mapping[str, ObjectId]]) -> ObjectId:
    ids = {}
    for name, (spec, data) in tensors(step).items():
        ids[name] = repository.odb.put_tensor(spec, data, bases=[before[name] for before in reversed(put[-2:])])
    put.append(ids)
    literal = b"file %d" % step
    skeleton = repository.put(Skeleton(len(literal), (), literal))
    entries = tuple(TensorEntry(name, ids[name], spec, "weight") for name, (spec, _) in tensors(step).items())
    manifest = repository.put(Manifest((FileEntry("", "opaque", len(literal), "0" * 64, skeleton, entries),)))
    metrics = {"loss": 0.5 / (step + 1)}
    return repository.put(
        Commit(manifest, f"{step}.pt", TIME.isoformat(), "Ann", "é", float(step), "user", "run", None, metrics)
    )


def main(arguments: Sequence[str]) -> None:
    """Writes the archive, with nothing in it that depends on who does so or when."""
    (target,) = map(Path, arguments)
    with tempfile.TemporaryDirectory() as directory:
        write_golden(Path(directory) / NAME)
        with tarfile.open(target, "x:gz") as archive:
            for path in sorted((Path(directory) / NAME).rglob("*")):
                name = path.relative_to(directory).as_posix()
                if path.is_dir() or ("/locks/" not in name and not path.name.startswith(".swap")):
                    entry = archive.gettarinfo(path, name)
                    entry.uid = entry.gid = 0
                    entry.uname = entry.gname = ""
                    entry.mtime = int(TIME.timestamp())
                    content = io.BytesIO(b"" if path.is_dir() else path.read_bytes())
                    archive.addfile(entry, None if path.is_dir() else content)


if __name__ == "__main__":
    main(sys.argv[1:])
