"""What recording steps costs a commit: one more checkpoint of a transformer, with and without, in processor time.

    python -m benchmarks.drift.recording [--layers 12] [--width 256] [--points 6]

The weights are a random walk: cost does not depend on what was trained. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
from safetensors.numpy import save_file

from benchmarks.drift.integrity import Arrays
from mvc.index import StepRow
from mvc.papers.tables import table_head, table_row
from mvc.porcelain.check import check
from mvc.porcelain.commits import commit
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--layers", type=int, default=12)
    reader.add_argument("--width", type=int, default=256)
    reader.add_argument("--points", type=int, default=6)
    asked = reader.parse_args()
    points = [dict(point) for point in _walk(asked.layers, asked.width, asked.points)]
    numel = sum(value.size for value in points[0].values())
    print(f"{numel:,} weights in {len(points[0])} tensors, {asked.points} checkpoints; seconds of one processor.\n")
    print("\n".join(table_head(("", "last commit", "check of a file", "index a checkpoint"))))
    with mock.patch("mvc.porcelain.inferring.judge_damage", return_value=()):
        without, *_ = _measure(points)
    with_steps, checked, size = _measure(points)
    print(table_row(("without", f"{without:.2f}", "", "")))
    print(table_row(("with", f"{with_steps:.2f}", f"{checked:.2f}", f"{size / 1024:,.0f} KiB")))


def _measure(points: list[Arrays]) -> tuple[float, float, float]:
    """Processor seconds of the last commit and of a check of its file before it; bytes kept of one step."""
    with tempfile.TemporaryDirectory() as directory:
        workspace = Workspace.of(Repository.init(Path(directory)), author="benchmark <b@example.org>")
        files = []
        for number, point in enumerate(points):
            files.append(Path(directory) / f"{number}.safetensors")
            save_file(point, files[-1])
        commit(workspace, files[:-1])
        start = time.process_time()
        check(workspace, [str(files[-1])])
        checked = time.process_time() - start
        start = time.process_time()
        commit(workspace, files[-1:])
        committed = time.process_time() - start
        kept = [len(row.record) for row in workspace.read(StepRow.select)]
    return committed, checked, float(np.mean(kept)) if kept else 0.0


def _walk(layers: int, width: int, points: int) -> Iterator[Arrays]:
    random = np.random.default_rng(0)
    shapes: dict[str, tuple[int, ...]] = {"wte.weight": (1024, width), "wpe.weight": (256, width)}
    for layer in range(layers):
        shapes |= {
            f"h.{layer}.ln_1.weight": (width,),
            f"h.{layer}.attn.c_attn.weight": (3 * width, width),
            f"h.{layer}.attn.c_attn.bias": (3 * width,),
            f"h.{layer}.attn.c_proj.weight": (width, width),
            f"h.{layer}.ln_2.weight": (width,),
            f"h.{layer}.mlp.c_fc.weight": (4 * width, width),
            f"h.{layer}.mlp.c_fc.bias": (4 * width,),
            f"h.{layer}.mlp.c_proj.weight": (width, 4 * width),
        }
    at = {name: 0.02 * random.standard_normal(shape, np.float32) for name, shape in shapes.items()}
    for _ in range(points):
        at = {name: value + 0.002 * random.standard_normal(value.shape, np.float32) for name, value in at.items()}
        yield at


if __name__ == "__main__":
    main()
