"""What `mvc identify` of a permuted copy costs from the command line, in a repository of many commits.

    mvc init REPO
    mvc zoo train schurholt-borth-2021-mlp --seeds 40 --into REPO
    mvc -C REPO embed train --minutes 1
    python -m benchmarks.embedding.identifying REPO

Two copies of one commit are made, one with its units permuted, one rounded to half precision besides. Timed is the
whole command, in seconds of the processor, system calls included: with the repository's embedder, and without one (in a
copy of the repository that has none). Prints Markdown.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from benchmarks.trajectory.copies import permuted
from mvc.porcelain.facade import Repository


def copies(repository: Repository, directory: Path) -> tuple[str, list[Path]]:
    """The commit, and the files that were made of it."""
    row = max(repository.log(), key=lambda one: len(one.commits))
    commit = row.commits[len(row.commits) // 2].id
    model = permuted(
        {name: np.array(value) for name, value in repository.load(commit).items()}, np.random.default_rng(0)
    )
    files = []
    for name, dtype in (("permuted", np.float32), ("half", np.float16)):
        files.append(directory / f"{name}.safetensors")
        save_file({key: np.ascontiguousarray(value, dtype) for key, value in model.items()}, files[-1])
    return commit, files


def timed(root: Path, files: list[Path], commit: str) -> tuple[float, int]:
    """Seconds of the processor, and how many of the files were traced to the commit."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "mvc.cli.main", "-C", str(root), "identify", "--json", *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    right = sum(one["match"]["commit"] == commit for one in json.loads(done.stdout)["results"] if one["match"])
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, right


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("repository", type=Path)
    reader.add_argument("--times", type=int, default=3, help="the least of so many is told")
    asked = reader.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        repository = Repository.open(asked.repository)
        commit, files = copies(repository, Path(scratch))
        without = Path(scratch, "without")
        shutil.copytree(asked.repository, without)
        for row in repository.embedders():
            subprocess.run(
                [sys.executable, "-m", "mvc.cli.main", "-C", str(without), "embed", "remove", row.name],
                check=True, capture_output=True,
            )  # fmt: skip
        commits = sum(len(row.commits) for row in repository.log())
        print(
            f"{commits:,} commits\n\n| `mvc identify` of | no embedder: s | right | with it: s | right |\n|{'---|' * 5}"
        )
        for what, some in (("the permuted copy", files[:1]), ("both", files), ("the commit's own file", None)):
            if some is None:
                some = [Path(scratch, "own.safetensors")]
                save_file({name: np.array(value) for name, value in repository.load(commit).items()}, some[0])
            runs = [[timed(root, some, commit) for _ in range(asked.times)] for root in (without, asked.repository)]
            cells = [f"{min(one)[0]:.2f} | {min(one)[1]} of {len(some)}" for one in runs]
            print(f"| {what} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
