"""What `mvc diff` costs on two checkpoints of a GPT, beside NumPy loading both files and subtracting them.

    OMP_NUM_THREADS=1 python -m benchmarks.diff.cost --rounds 9

The GPT has 9.9 M parameters in 64 tensors (5 blocks of width 384, 2,500 tokens); its checkpoints are made up, twelve of
one walk, committed beforehand. Every figure is of a process of its own, started anew, the files in the page cache;
kinds take turns, so that what else the machine does is shared by all. Prints a Markdown table: median and worst
wall-clock time and median processor time from the start of the process to its end; the largest resident memory; and
for diff the largest memory that Python allocated while models were compared (tracemalloc, in further processes), also
in units of the largest tensor. NumPy loads both files whole (`safetensors.numpy.load_file`) and takes norms of the
differences, or opens both and does so tensor by tensor.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

WIDTH, BLOCKS, TOKENS, CONTEXT, LENGTH = 384, 5, 2500, 256, 12

_WHOLE = """
import numpy as np
from safetensors.numpy import load_file
a, b = load_file("10.safetensors"), load_file("11.safetensors")
print({n: float(np.linalg.norm(b[n] - a[n])) for n in a})
"""
_STREAMED = """
import numpy as np
from safetensors import safe_open
with safe_open("10.safetensors", "np") as a, safe_open("11.safetensors", "np") as b:
    print({n: float(np.linalg.norm(b.get_tensor(n) - a.get_tensor(n))) for n in a.keys()})
"""
_TRACED = """
import sys, tracemalloc
from pathlib import Path
from mvc.porcelain.diff import diff
from mvc.porcelain.workspace import Workspace
import mvc.porcelain.comparing as comparing
whole = comparing.compare
def traced(*args, **more):
    tracemalloc.start()
    found = whole(*args, **more)
    print(tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
    return found
import mvc.porcelain.diff as module
module.compare = traced
diff(Workspace.open("."), *sys.argv[1:])
"""
_MVC = ("-m", "mvc.cli.main")
#: compiled modules are kept, as they are wherever mvc is installed
_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
KINDS = {
    "NumPy, both files whole": ("-c", _WHOLE),
    "NumPy, tensor by tensor": ("-c", _STREAMED),
    "`mvc --help`": (*_MVC, "--help"),
    "`mvc diff` of two files": (*_MVC, "diff", "./10.safetensors", "./11.safetensors"),
    "`mvc diff` of two commits": (*_MVC, "diff", "HEAD~1", "HEAD"),
    "`mvc diff` of commits six steps apart": (*_MVC, "diff", "HEAD~6", "HEAD"),
    "`mvc diff --spectra` of two commits": (*_MVC, "diff", "HEAD~1", "HEAD", "--spectra"),
    "`mvc diff` of a merged adapter": (*_MVC, "diff", "HEAD", "./adapted.safetensors"),
    "`mvc diff` of strangers": (*_MVC, "diff", "HEAD", "./stranger.safetensors"),
    "`mvc diff` with all units permuted": (*_MVC, "diff", "HEAD", "./permuted.safetensors"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        # in a process of its own: what this one ever held would count as its children's
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            pool.apply(make, (root,))
        run(root, *_MVC, "init")
        run(root, *_MVC, "commit", *(f"{i:02}.safetensors" for i in range(LENGTH)))
        figures: dict[str, list[tuple[float, float, float]]] = {kind: [] for kind in KINDS}
        for turn in range(rounds + 1):
            for kind, arguments in KINDS.items():
                found = run(root, *arguments)
                if turn:  # the first one warms the page cache
                    figures[kind].append(found)
        print("| | wall, s | worst | processor, s | resident, MiB | compared with, MiB | largest tensors |")
        print("|---|---|---|---|---|---|---|")
        largest = 4 * WIDTH * max(TOKENS, 4 * WIDTH) / 2**20
        for kind, rows in figures.items():
            wall, processor, memory = zip(*rows, strict=True)
            traced = traced_peak(root, KINDS[kind])
            peak = f"{traced:.1f} | {traced / largest:.2f}" if traced is not None else "|"
            print(
                f"| {kind} | {statistics.median(wall):.2f} | {max(wall):.2f} | {statistics.median(processor):.2f} "
                f"| {statistics.median(memory):.0f} | {peak} |",
                flush=True,
            )


def run(root: Path, *arguments: str) -> tuple[float, float, float]:
    """Wall-clock and processor seconds, and MiB, of one Python process."""
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, *arguments], cwd=root, env=_ENVIRONMENT, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, arguments
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def traced_peak(root: Path, arguments: tuple[str, ...]) -> float | None:
    """MiB that Python allocates at most while two models are compared; None for what is no plain diff."""
    if "diff" not in arguments or "--spectra" in arguments:
        return None
    sides = arguments[arguments.index("diff") + 1 :]
    done = subprocess.run([sys.executable, "-c", _TRACED, *sides], cwd=root, check=True, capture_output=True, text=True)
    return int(done.stdout) / 2**20


def make(root: Path) -> None:
    """Twelve checkpoints of a walk, and of the last one a copy with merged adapters, a stranger, a permuted copy."""
    rng = np.random.default_rng(0)
    point = {name: (0.02 * rng.normal(size=shape)).astype(np.float32) for name, shape in shapes()}
    for i in range(LENGTH):
        save_file(point, root / f"{i:02}.safetensors")
        last = point
        point = {
            name: value + (0.001 * rng.normal(size=value.shape)).astype(np.float32) for name, value in point.items()
        }
    adapted = dict(last)
    for name, value in last.items():
        if "attn" in name and value.ndim == 2:
            rows, columns = value.shape
            change = 0.01 * rng.normal(size=(rows, 8)) @ rng.normal(size=(8, columns))
            adapted[name] = value + change.astype(np.float32)
    save_file(adapted, root / "adapted.safetensors")
    stranger = {name: (0.02 * rng.normal(size=value.shape)).astype(np.float32) for name, value in last.items()}
    save_file(stranger, root / "stranger.safetensors")
    moved = dict(last)
    for block in range(BLOCKS):
        order = rng.permutation(4 * WIDTH)
        fc, proj = f"h.{block}.mlp.c_fc", f"h.{block}.mlp.c_proj"
        moved[f"{fc}.weight"] = np.ascontiguousarray(last[f"{fc}.weight"][:, order])
        moved[f"{fc}.bias"] = last[f"{fc}.bias"][order]
        moved[f"{proj}.weight"] = last[f"{proj}.weight"][order]
    save_file(moved, root / "permuted.safetensors")


def shapes() -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names and shapes as GPT-2 has them: matrices are [in, out]."""
    yield "wte.weight", (TOKENS, WIDTH)
    yield "wpe.weight", (CONTEXT, WIDTH)
    for block in range(BLOCKS):
        for norm in ("ln_1", "ln_2"):
            yield f"h.{block}.{norm}.weight", (WIDTH,)
            yield f"h.{block}.{norm}.bias", (WIDTH,)
        for layer, into, out in (
            ("attn.c_attn", 1, 3),
            ("attn.c_proj", 1, 1),
            ("mlp.c_fc", 1, 4),
            ("mlp.c_proj", 4, 1),
        ):
            yield f"h.{block}.{layer}.weight", (into * WIDTH, out * WIDTH)
            yield f"h.{block}.{layer}.bias", (out * WIDTH,)
    yield "ln_f.weight", (WIDTH,)
    yield "ln_f.bias", (WIDTH,)


if __name__ == "__main__":
    main()
