"""Which kinds of change `mvc diff` sees in populations that were really trained, where it should and where not.

    python -m benchmarks.diff.kinds --data mnist14.npz --cache DIR

The populations are those of `benchmarks.trajectory.populations` and the tiny residual network and transformer. Prints a
Markdown table, a row for each:

- *steps*: neighbours of a run; of their changed matrices, how many are said to be of *low rank*, and of their changed
  tensors, how many *sparse* (at most a tenth of the values);
- *far*: pairs without moved units whose matrices are far apart: the first checkpoint of a run and each later one, and
  last checkpoints of different seeds; in how many of them units are *said to have moved*;
- *permuted*: last checkpoints with all their units in random orders: in how many all that moved, and the distance
  after, are told; *and trained*: the same, held against the last but one;
- *adapters*: last checkpoints with a random change of rank 1 and 2, a tenth of the matrix's norm, in each matrix that
  may have one: how many have their ranks told, in single precision and in bfloat16.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import Path

import ml_dtypes
import numpy as np
import numpy.typing as npt

from benchmarks.trajectory import populations, tiny
from mvc.geometry import PermutationSpec, permute
from mvc.geometry.changes import SHARE, rank_of_change
from mvc.objects import ObjectId, TensorSpec, tensor_id
from mvc.porcelain.comparing import Comparison, compare
from mvc.porcelain.permuted import symmetry

Arrays = Mapping[str, npt.NDArray[np.float32]]
FEW = 0.1


@dataclass(frozen=True)
class Held:
    """A checkpoint in memory."""

    arrays: Arrays

    @property
    def specs(self) -> Mapping[str, TensorSpec]:
        return {name: TensorSpec("F32", value.shape) for name, value in self.arrays.items()}

    def read(self, name: str) -> bytes:
        return self.arrays[name].tobytes()

    def object_id(self, name: str) -> ObjectId:
        return tensor_id(self.specs[name], self.read(name))


def main() -> None:
    asked = populations.arguments(__doc__ or "")
    titles = ("population", "steps", "low rank", "sparse", "far", "said to have moved", "permuted", "and trained",
              "adapters, F32", "BF16")  # fmt: skip
    print("| " + " | ".join(titles) + " |")
    print("|" + "---|" * len(titles))
    for name, runs in _populations(asked.only, asked.data, asked.cache):
        print("| " + " | ".join((name, *_row(runs))) + " |", flush=True)


def _populations(names: list[str], data: Path, cache: Path) -> Iterator[tuple[str, list[list[Arrays]]]]:
    for name in names:
        found = populations.trained(name, data, cache)
        shapes = found.card.architecture.shapes()
        yield name, [[_split(point, shapes) for point in run] for run in found.weights]
    for name in tiny.TINY:
        yield f"tiny {name}", tiny.tiny_runs(name, data, cache)


def _split(point: npt.NDArray[np.float32], shapes: Mapping[str, tuple[int, ...]]) -> Arrays:
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])
    parts = np.split(point, ends[:-1])
    return {name: part.reshape(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}


def _diff(a: Arrays, b: Arrays) -> Comparison:
    return compare(Held(a), Held(b), known=lambda _: None)


def _row(runs: list[list[Arrays]]) -> list[str]:
    steps = [_diff(a, b) for run in runs for a, b in pairwise(run)]
    changed = [row for step in steps for row in step.rows if row.changed]
    matrices = [row for row in changed if runs[0][0][row.name].ndim > 1]
    low = sum(row.rank is not None for row in matrices)
    sparse = sum((row.changed or 0) <= FEW * row.numel for row in changed)
    pairs = [(run[0], later) for run in runs for later in run[1:]]
    pairs += list(combinations([run[-1] for run in runs], 2))
    moved = sum(_diff(a, b).moved is not None for a, b in pairs)
    permuted = [_permuted(run[-1], number) for number, run in enumerate(runs)]
    told = [
        sum(_told(run[at], copy, count, run[-1]) for run, (copy, count) in zip(runs, permuted, strict=True))
        for at in (-1, -2)
    ]
    adapters = [_adapters(runs, dtype) for dtype in (np.float32, ml_dtypes.bfloat16)]
    return [
        f"{len(steps)}",
        f"{low} of {len(matrices)}",
        f"{sparse} of {len(changed)}",
        f"{len(pairs)}",
        f"{moved}",
        *(f"{count} of {len(runs)}" for count in told),
        *(f"{found} of {count}" for found, count in adapters),
    ]


def _permuted(arrays: Arrays, seed: int) -> tuple[Arrays, int]:
    """The same function with its units, but heads, in random orders, and how many left their places."""
    spec = symmetry(Held(arrays).specs, sorted(arrays))
    rng, moved, count = np.random.default_rng(seed), dict(arrays), 0
    for units in (spec or PermutationSpec(())).units:
        order = rng.permutation(units.size)
        moved = permute(moved, units, order)
        count += int((order != np.arange(units.size)).sum())
    return moved, count


def _told(a: Arrays, copy: Arrays, count: int, original: Arrays) -> bool:
    found = _diff(a, copy).moved
    right = _diff(a, original).overall.distance
    return found is not None and found.moved == count and abs(found.distance - right) <= 1e-6 * (1 + right)


def _adapters(runs: list[list[Arrays]], dtype: npt.DTypeLike) -> tuple[int, int]:
    rng, right, count = np.random.default_rng(0), 0, 0
    for run in runs:
        for value in run[-1].values():
            rows, columns = (value.shape[0], value.size // value.shape[0]) if value.ndim > 1 else (0, 0)
            for rank in (1, 2):
                if rank <= SHARE * min(rows, columns):
                    change = (rng.normal(size=(rows, rank)) @ rng.normal(size=(rank, columns))).reshape(value.shape)
                    change *= 0.1 * np.linalg.norm(value) / np.linalg.norm(change)
                    before = value.astype(dtype)
                    after = (before.astype(np.float64) + change).astype(dtype)
                    right += rank_of_change(before, after) == rank
                    count += 1
    return right, count


if __name__ == "__main__":
    main()
