"""What one more commit costs when an architecture has many, and what inference costs from scratch.

    OMP_NUM_THREADS=1 python -m benchmarks.trajectory.incremental --commits 1000 10000

Synthetic runs of 50 checkpoints of a small network (696 weights in three tensors). Prints a Markdown table: building
the repository with one `commit` of all files; `infer` of all points at once, without a repository; then the median and
the worst of several commits of one further checkpoint each, whole and the engine's part of them (kinship, the touched
families, flags, names); and peak memory of a process that does nothing else. All times are processor time of the
process, so that what else the machine does counts little; waiting for the disk is not in them.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file

from mvc.geometry import sign_tensor
from mvc.porcelain import indexing
from mvc.porcelain.facade import Repository
from mvc.testing.trajectories import SHAPES, Walk, synthetic_run, tensors_of
from mvc.trajectory import Declared, Population, infer, lay_out

#: checkpoints of one run
LENGTH = 50
#: further commits that are timed
FURTHER = 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commits", type=int, nargs="+", default=[1000, 10_000])
    asked = parser.parse_args()
    titles = ("commits", "build, s", "`infer`, s", "MiB", "one commit, ms", "worst", "engine, ms", "worst", "MiB")
    print("| " + " | ".join(titles) + " |")
    print("|" + "---|" * len(titles))
    for count in asked.commits:
        with tempfile.TemporaryDirectory() as directory:
            built, _ = apart(build, Path(directory), count)
            scratch, scratch_memory = apart(from_scratch, count)
            (whole, engine), memory = apart(further, Path(directory), count)
        print(
            f"| {count:,} | {built:.0f} | {scratch:.1f} | {scratch_memory:.0f} "
            f"| {1e3 * statistics.median(whole):.0f} | {1e3 * max(whole):.0f} "
            f"| {1e3 * statistics.median(engine):.0f} | {1e3 * max(engine):.0f} | {memory:.0f} |",
            flush=True,
        )


def run(seed: int) -> npt.NDArray[np.float64]:
    return synthetic_run(seed, Walk(points=LENGTH))


def build(directory: Path, count: int) -> float:
    """Commits all runs, the last of them without the checkpoints that `further` adds; the seconds that it took."""
    for i in range(count):
        seed, place = divmod(i, LENGTH)
        if place == 0:
            path = run(seed)
        save_file(tensors_of(path[place]), checkpoint(directory, seed, place))
    repository = Repository.init(directory / "repository", author="A Tester <t@example.org>")
    start = time.process_time()
    repository.commit(directory / "runs", message="all")
    return time.process_time() - start


def further(directory: Path, count: int) -> tuple[list[float], list[float]]:
    """Seconds of commits of one checkpoint each: the first three of a new run, and further ones of runs there are."""
    repository = Repository.open(directory / "repository", author="A Tester <t@example.org>")
    engine: list[float] = []
    for name in ("infer_lineages", "name_lineages"):
        setattr(indexing, name, timed(getattr(indexing, name), engine))
    new = [(count, place) for place in range(3)] + [(seed, LENGTH) for seed in range(FURTHER - 3)]
    whole = []
    for seed, place in new:
        path = run(seed)
        point = path[place] if place < LENGTH else 2 * path[-1] - path[-2]
        file = checkpoint(directory, seed, place)
        save_file(tensors_of(point), file)
        start = time.process_time()
        repository.commit(file, message="one more")
        whole.append(time.process_time() - start)
    return whole, [infer_ + name for infer_, name in zip(engine[::2], engine[1::2], strict=True)]


def from_scratch(count: int) -> float:
    vectors = np.empty((count, lay_out(SHAPES.items())[-1].stop), dtype=np.float32)
    for seed in range(count // LENGTH):
        for place, point in enumerate(run(seed)):
            values = [sign_tensor(tensor).values for tensor in tensors_of(point).values()]
            vectors[seed * LENGTH + place] = np.concatenate(values)
    order = np.random.default_rng(0).permutation(count)
    keys = tuple(f"{i:06d}" for i in range(count))
    start = time.process_time()
    infer(Population(keys, vectors[order], lay_out(SHAPES.items()), (Declared(),) * count))
    return time.process_time() - start


def checkpoint(directory: Path, seed: int, place: int) -> Path:
    path = directory / "runs" / f"{seed:05d}" / f"{place:03d}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def timed(function: Callable[..., Any], seconds: list[float]) -> Callable[..., Any]:
    def wrapped(*arguments: Any, **options: Any) -> Any:
        start = time.process_time()
        try:
            return function(*arguments, **options)
        finally:
            seconds.append(time.process_time() - start)

    return wrapped


def apart(function: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    """What ``function`` returns in a process of its own, and the most memory that this held, in MiB."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measured, (function, arguments))


def _measured(function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, float]:
    result = function(*arguments)
    return result, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
