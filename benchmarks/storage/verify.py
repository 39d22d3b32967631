"""How fast `fsck` verifies a repository, beside hashing the same files: MB/s of stored and of raw bytes, in one run.

    python -m benchmarks.storage.verify REPOSITORY [--rounds N]

Rounds alternate between all of them, so that load is shared; the best round of each counts, wall and CPU. What is read
lies in the page cache, after one round that is not counted.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from pathlib import Path

import blake3

from mvc.repository import Repository, check_repository

_STEP = 1 << 19


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("repository", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    packs = [path for path in (asked.repository / ".mvc" / "packs").iterdir() if path.is_file()]
    stored = sum(path.stat().st_size for path in packs)
    ways: dict[str, Callable[[], object]] = {
        "blake3 of the files, one thread, read": lambda: [hash_file(path) for path in packs],
        "blake3 of the files, all threads, mapped (as b3sum)": lambda: [map_file(path) for path in packs],
        "fsck": lambda: check_repository(Repository.open(asked.repository)),
        "fsck --full": lambda: check_repository(Repository.open(asked.repository), full=True),
    }
    best = {name: (float("inf"), float("inf")) for name in ways}
    for count in range(asked.rounds + 1):
        for name, way in ways.items():
            if name.endswith("--full") and count > 1:
                continue
            wall, cpu = timed(way)
            if count:
                best[name] = min(best[name][0], wall), min(best[name][1], cpu)
    raw = raw_bytes(Repository.open(asked.repository))
    print(f"{stored / 1e6:.0f} MB stored in {len(packs)} packs, {raw / 1e6:.0f} MB raw\n")
    print("| | s | CPU s | MB/s stored | MB/s raw | of mapped blake3: wall | CPU |")
    print("|---|---|---|---|---|---|---|")
    base = best["blake3 of the files, all threads, mapped (as b3sum)"]
    for name, (wall, cpu) in best.items():
        speeds = f"{stored / wall / 1e6:.0f} | {raw / wall / 1e6:.0f}"
        print(f"| {name} | {wall:.3f} | {cpu:.3f} | {speeds} | {base[0] / wall:.0%} | {base[1] / cpu:.0%} |")


def timed(way: Callable[[], object]) -> tuple[float, float]:
    start, used = time.perf_counter(), cpu_seconds()
    way()
    return time.perf_counter() - start, cpu_seconds() - used


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def hash_file(path: Path) -> bytes:
    digest = blake3.blake3()
    with path.open("rb", buffering=0) as file:
        while piece := file.read(_STEP):
            digest.update(piece)
    return digest.digest()


def map_file(path: Path) -> bytes:
    return blake3.blake3(max_threads=blake3.blake3.AUTO).update_mmap(path).digest()


def raw_bytes(repository: Repository) -> int:
    """Of all checkpoints' files."""
    manifests = {repository.commit(one).manifest for one in repository.state().commits}
    return sum(file.size for one in manifests for file in repository.manifest(one).files)


if __name__ == "__main__":
    main()
