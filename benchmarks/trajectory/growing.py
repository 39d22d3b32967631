"""What one more commit of one long run costs: in a new process, and in one that committed the checkpoints before.

    OMP_NUM_THREADS=1 python -m benchmarks.trajectory.growing --lengths 30 100 300

A synthetic run of a small network (696 weights in three tensors), of which all but the last five checkpoints are
committed at once; then `mvc commit` of one more in a new process, from the same state several times, and
`Repository.commit` of the others, one after another. Prints a Markdown table of processor seconds, medians.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from safetensors.numpy import save_file

from mvc.papers.tables import table_head, table_row
from mvc.porcelain.facade import Repository
from mvc.testing.trajectories import Walk, synthetic_run, tensors_of

#: checkpoints that are committed one by one
FURTHER = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lengths", type=int, nargs="+", default=[30, 100, 300])
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    print("\n".join(table_head(("commits before", "`mvc commit`, s", "`Repository.commit`, s"))), flush=True)
    for length in asked.lengths:
        with tempfile.TemporaryDirectory() as directory:
            command, warm = _measure(Path(directory), length, asked.rounds)
        print(table_row((f"{length:,}", f"{command:.2f}", f"{warm:.3f}")), flush=True)


def _measure(root: Path, length: int, rounds: int) -> tuple[float, float]:
    files = [root / f"{step:05}.safetensors" for step in range(length + FURTHER)]
    for file, weights in zip(files, synthetic_run(1, Walk(points=len(files))), strict=True):
        save_file(tensors_of(weights), file)
    repository = Repository.init(root)
    repository.commit(*files[:length], message="all at once")
    shutil.copytree(root / ".mvc", root / "before")
    command = statistics.median(_spent(root, files[length]) for _ in range(rounds))
    warm = []
    for file in files[length + 1 :]:
        begun = time.process_time()
        repository.commit(file, message="one more")
        warm.append(time.process_time() - begun)
    return command, statistics.median(warm)


def _spent(root: Path, file: Path) -> float:
    """Processor seconds of a command that commits one checkpoint to the repository as it was."""
    shutil.rmtree(root / ".mvc")
    shutil.copytree(root / "before", root / ".mvc")
    process = subprocess.Popen(
        [sys.executable, "-m", "mvc", "-C", str(root), "commit", str(file)], stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
