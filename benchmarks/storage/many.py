"""How the store bears very many small commits: files, bytes, time for each, early and late.

    python benchmarks/storage/many.py [COMMITS] [DIRECTORY]

Each commit is a network of 2,160 weights (196-10-10-10, no biases) that moved a little: one command's worth of objects,
as `mvc commit` puts them, without reading lineages, which other benchmarks measure.
"""

from __future__ import annotations

import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from mvc.objects import Commit, FileEntry, Manifest, ObjectId, Skeleton, TensorEntry, TensorSpec
from mvc.repository import Repository, check_repository
from mvc.repository.gc import collect, measure

SHAPES = {"fc1.weight": (10, 196), "fc2.weight": (10, 10), "fc3.weight": (10, 10)}


def models(count: int) -> Iterator[dict[str, bytes]]:
    rng = np.random.default_rng(0)
    weights = {name: rng.normal(size=shape).astype("<f4") for name, shape in SHAPES.items()}
    for _ in range(count):
        yield {name: value.tobytes() for name, value in weights.items()}
        weights = {name: value + 0.01 * rng.normal(size=value.shape).astype("<f4") for name, value in weights.items()}


def commit(repository: Repository, number: int, tensors: dict[str, bytes], last: list[ObjectId]) -> list[ObjectId]:
    entries = []
    with repository.lock(command="benchmark"):
        with repository.odb.batch():
            for place, (name, data) in enumerate(tensors.items()):
                spec = TensorSpec("F32", SHAPES[name])
                stored = repository.odb.put_tensor(spec, data, bases=last[place : place + 1])
                entries.append(TensorEntry(name, stored, spec, "weight"))
            skeleton = repository.put(Skeleton(300, (), b" " * 300))
            file = FileEntry("", "safetensors", 300, "0" * 64, skeleton, tuple(entries))
            record = Commit(repository.put(Manifest((file,))), f"{number:05}.safetensors", f"{datetime.now(UTC)}", "me")
            made = repository.propose(command="commit", author="me", commits=[repository.put(record)])
        repository.accept(made)
    return [entry.object for entry in entries]


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main(count: int, directory: Path) -> None:
    repository = Repository.init(directory)
    walls: list[float] = []
    cpus: list[float] = []
    most = 0
    last: list[ObjectId] = []
    marks = sorted({min(count, mark) for mark in (100, 300, 1_000, 3_000, 10_000)})
    print("| commits | files | most files so far | bytes a commit | ms CPU a commit | ms wall | worst |")
    print("|---|---|---|---|---|---|---|")
    for number, tensors in enumerate(models(count), 1):
        start = time.perf_counter(), cpu()
        last = commit(repository, number, tensors, last)
        walls.append(1e3 * (time.perf_counter() - start[0]))
        cpus.append(1e3 * (cpu() - start[1]))
        if number % 10 == 0 or number in marks:
            most = max(most, len(list(repository.storage.list("packs/"))))
        if number in marks:
            files, size = measure(repository)
            recent = walls[-100:], cpus[-100:]
            print(
                f"| {number:,} | {files} | {most} | {size / number:,.0f} | {statistics.fmean(recent[1]):.2f} "
                f"| {statistics.median(recent[0]):.1f} | {max(walls):.0f} |",
                flush=True,
            )
    start = time.perf_counter()
    fresh = Repository.open(directory)
    wanted = fresh.manifest(fresh.commit(fresh.state().commits[0]).manifest).files[0].tensors[0].object
    print(f"\nopening it, its whole state and one tensor: {time.perf_counter() - start:.2f} s")
    kept = Repository.open(directory)
    kept.odb.contains(wanted)  # its tables are not what is measured here
    before = cpu()
    replayed = fresh.state_at(fresh.head())
    between = cpu()
    assert kept.state() == replayed
    after = cpu()
    print(
        f"all operations replayed: {1e3 * (between - before):.0f} ms CPU; with the kept state: "
        f"{1e3 * (after - between):.1f} ms CPU"
    )
    start = time.perf_counter()
    assert fresh.odb.contains(wanted)
    cold = Repository.open(directory)
    cold.odb.get_tensor(wanted)
    print(f"one tensor in a fresh process's tables: {1e3 * (time.perf_counter() - start):.1f} ms")
    start = time.perf_counter()
    report = collect(repository)
    print(
        f"gc: {time.perf_counter() - start:.1f} s, {report.files.before} files → {report.files.after}, "
        f"{report.bytes.before:,} bytes → {report.bytes.after:,}"
    )
    start = time.perf_counter()
    checked = check_repository(repository)
    assert checked.ok
    print(f"fsck: {time.perf_counter() - start:.1f} s for {checked.objects:,} objects")


if __name__ == "__main__":
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    where = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(tempfile.mkdtemp())
    try:
        main(size, where / "many")
    finally:
        shutil.rmtree(where / "many", ignore_errors=True)
