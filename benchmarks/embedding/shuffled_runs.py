"""Whether `mvc embed kin` brings shuffled runs together and no others, and how far matching tells kin from strangers.

    python -m benchmarks.embedding.shuffled_runs --data mnist14.npz --cache DIR --minutes 1

First, of the paper's two populations: how far pairs of checkpoints of one run, so many epochs apart, and of two runs
are on the way from matched strangers to an equal model. Then a repository that is thrown away: eight runs, every fifth
checkpoint, the units of half the runs shuffled at every checkpoint. Prints Markdown.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from benchmarks.embedding.families import Family, Floats, named, parser, population
from benchmarks.trajectory.copies import permuted, spec_of
from mvc.geometry.matching import beyond_strangers, match_units
from mvc.porcelain.commits import commit
from mvc.porcelain.learning import train_embedder
from mvc.porcelain.log import log
from mvc.porcelain.shuffled import BEYOND, shuffled_runs
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository

POPULATIONS = ("schurholt-borth-2021-mlp", "schurholt-borth-2021-cnn")
GAPS = (1, 5, 10, 20)
RUNS, EVERY = 8, 5


def beyond(family: Family, a: Floats, b: Floats, rng: np.random.Generator) -> float:
    first, second = named(family.shapes, a), permuted(named(family.shapes, b), rng)
    left, right = ({name: part.astype(np.float64) for name, part in model.items()} for model in (first, second))
    spec = spec_of(first)
    return beyond_strangers(left, right, spec, match_units(left, right, spec).cosine)


def pairs(family: Family, gap: int | None, count: int) -> Floats:
    """Of random pairs of a run, ``gap`` epochs apart, or of two runs."""
    rng, found = np.random.default_rng(0), []
    runs, points = family.runs.shape[:2]
    for _ in range(count):
        run, place = int(rng.integers(runs)), int(rng.integers(1, points - (gap or 0)))
        other = (
            family.runs[(run + 1) % runs, int(rng.integers(1, points))]
            if gap is None
            else family.runs[run, place + gap]
        )
        found.append(beyond(family, family.runs[run, place], other, rng))
    return np.array(found)


def repository(family: Family, root: Path, minutes: float) -> None:
    rng = np.random.default_rng(0)
    (root / "ck").mkdir()
    for run in range(RUNS):
        for place in range(1, family.runs.shape[1], EVERY):
            model = named(family.shapes, family.runs[run, place])
            model = permuted(model, rng) if run < RUNS // 2 else model
            arrays = {name: np.ascontiguousarray(part) for name, part in model.items()}
            save_file(arrays, root / "ck" / f"{run}-{place:02}.safetensors")
    workspace = Workspace.of(Repository.init(root), author="Benchmark <b@example.org>")
    commit(workspace, [root / "ck"])
    rows = log(workspace).lineages
    owner = {row.name: Path(row.commits[0].path).name.partition("-")[0] for row in rows}
    train_embedder(workspace, minutes=minutes)
    began = time.process_time()
    found = shuffled_runs(workspace).runs
    seconds = time.process_time() - began
    wrong = sum(len({owner[name] for name in run.lineages}) > 1 for run in found)
    sizes = Counter(owner[name] for run in found for name in run.lineages)
    shuffled = len(range(1, family.runs.shape[1], EVERY))
    together = f"{', '.join(str(size) for _, size in sorted(sizes.items()))} of {shuffled} each"
    print(f"| {family.name} | {len(rows)} | {len(found)} | {wrong} | {together} | {seconds:.1f} |", flush=True)


def main() -> None:
    reader = parser(__doc__ or "")
    reader.add_argument("--count", type=int, default=24, help="pairs of each kind")
    asked = reader.parse_args()
    families = [population(name, asked.data, asked.cache, seeds=asked.seeds) for name in POPULATIONS]
    print("| population | pairs | least | median | most | beyond the limit |\n|---|---|---|---|---|---|", flush=True)
    for family in families:
        for gap in (*GAPS, None):
            found = pairs(family, gap, asked.count)
            what = "two runs" if gap is None else f"{gap} apart"
            figures = " | ".join(f"{value:.2f}" for value in (found.min(), np.median(found), found.max()))
            print(f"| {family.name} | {what} | {figures} | {(found >= BEYOND).sum()} of {len(found)} |", flush=True)
    heads = ("population", "lineages", "groups", "of two runs", "shuffled checkpoints together", "s")
    print(f"\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for family in families:
        with tempfile.TemporaryDirectory() as directory:
            repository(family, Path(directory), asked.minutes)


if __name__ == "__main__":
    main()
