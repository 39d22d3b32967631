"""How long the commands take that only read: whole processes, in turns, beside what any Python command has to import.

    python benchmarks/reading/speed.py [--runs N] [--scale F] [--beside CHECKOUT] [DIRECTORY]

In DIRECTORY (kept, and used again if it is there) or a temporary one: 100 runs of 100 checkpoints of 196 weights each,
10,000 commits; 10 of these runs, 1,000 files; and ten checkpoints of 40 MB, a walk of 10 million float32. ``--scale``
makes fewer runs. Every command is run N times, one after the other in each round, so that all see the same load;
``--beside`` names another checkout of mvc, whose commands take their turns too.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from mvc.porcelain.checkout import checkout
from mvc.porcelain.workspace import Workspace

SMALL = {"fc1.weight": (16, 8), "fc1.bias": (16,), "fc2.weight": (4, 16), "fc2.bias": (4,)}
LARGE = {f"h.{layer}.mlp.weight": (1000, 1000) for layer in range(10)}
MVC = [sys.executable, "-m", "mvc.cli.main"]


def walk(directory: Path, shapes: dict[str, tuple[int, ...]], steps: int, seed: int) -> None:
    """Checkpoints of one run: a walk with momentum."""
    directory.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    point = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    move = {name: 0.05 * rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    for step in range(steps):
        save_file(point, directory / f"{step:03}.safetensors")
        move = {name: (0.8 * x + 0.02 * rng.normal(size=x.shape)).astype(np.float32) for name, x in move.items()}
        point = {name: x + move[name] for name, x in point.items()}


def build(root: Path, runs: int) -> None:
    kinds = ("many", runs, 100, SMALL), ("thousand", 10, 100, SMALL), ("large", 1, 10, LARGE)
    for name, count, steps, shapes in kinds:
        where = root / name
        if where.exists():
            continue
        for run in range(count):
            walk(where / f"{run:03}", shapes, steps, run)
        subprocess.run([*MVC, "init"], cwd=where, check=True, capture_output=True)
        subprocess.run([*MVC, "commit", "."], cwd=where, check=True, capture_output=True)


def timed(command: list[str], where: Path, code: Path | None = None) -> tuple[float, float]:
    """CPU and wall seconds of one process; ``code``: whose mvc it runs, where that is another one."""
    environment = os.environ | ({"PYTHONPATH": str(code)} if code else {})
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, cwd=where, check=True, capture_output=True, env=environment)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def restore(root: Path, runs: int) -> tuple[float, float]:
    """Median CPU and wall seconds of a verified checkout of 40 MB from depth 1 in a warm process."""
    workspace = Workspace.open(root / "large")
    with tempfile.TemporaryDirectory(dir=root) as scratch:
        spent = []
        for run in range(runs + 1):
            cpu, start = time.process_time(), time.perf_counter()
            checkout(workspace, "HEAD~8", directory=Path(scratch), target=Path(f"{run}.safetensors"))
            spent.append((time.process_time() - cpu, time.perf_counter() - start))
            (Path(scratch) / f"{run}.safetensors").unlink()
    return statistics.median(cpu for cpu, _ in spent[1:]), statistics.median(wall for _, wall in spent[1:])


def main(root: Path, rounds: int, runs: int, beside: Path | None) -> None:
    build(root, runs)
    many, thousand, large = root / "many", root / "thousand", root / "large"
    commands = {
        "python -c 'import click'": ([sys.executable, "-c", "import click"], root),
        "python -c 'import numpy'": ([sys.executable, "-c", "import numpy"], root),
        "python -c 'import sqlalchemy'": ([sys.executable, "-c", "import sqlalchemy"], root),
        "mvc --help": ([*MVC, "--help"], root),
        f"mvc log, {100 * runs:,} commits": ([*MVC, "log"], many),
        f"mvc log --all, {100 * runs:,} commits": ([*MVC, "log", "--all"], many),
        f"mvc log --json, {100 * runs:,} commits": ([*MVC, "log", "--json"], many),
        "mvc log, 10 commits": ([*MVC, "log"], large),
        "mvc status, 1,000 files": ([*MVC, "status"], thousand),
        "mvc diff HEAD~1 HEAD, 40 MB": ([*MVC, "diff", "HEAD~1", "HEAD"], large),
        "mvc show HEAD, 40 MB": ([*MVC, "show", "HEAD"], large),
        "mvc blame HEAD, 40 MB": ([*MVC, "blame", "HEAD"], large),
        "mvc check HEAD, 40 MB": ([*MVC, "check", "--exit-zero", "HEAD"], large),
        "mvc op log": ([*MVC, "op", "log"], large),
        "mvc tag": ([*MVC, "tag"], large),
    }
    spent: dict[str, list[tuple[float, ...]]] = {name: [] for name in commands}
    for turn in range(rounds + 1):
        for name, (command, where) in commands.items():
            found = timed(command, where)
            other = timed(command, where, beside)[:1] if beside is not None else ()
            if turn:  # the first compiles and warms
                spent[name].append((*found, *other))
    rows = {name: [statistics.median(column) for column in zip(*told, strict=True)] for name, told in spent.items()}
    rows["checkout of 40 MB from depth 1, warm process"] = list(restore(root, rounds))
    unit = rows["python -c 'import click'"][0]
    print("| | CPU s | wall s | CPU beside `import click` |" + (" CPU s there |" if beside else ""))
    print("|---|---|---|---|" + ("---|" if beside else ""))
    for name, (cpu, wall, *there) in rows.items():
        print(f"| `{name}` | {cpu:.3f} | {wall:.3f} | {cpu / unit:.1f} |" + "".join(f" {one:.3f} |" for one in there))
    print(f"\nload while it ran: {os.getloadavg()[1]:.1f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", nargs="?", type=Path)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--beside", type=Path)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        main(told.directory or Path(scratch), told.runs, max(1, round(100 * told.scale)), told.beside)
