"""mvc's own inference judged on a population whose runs are known. Owns the measure; the truth never enters inference.

Checkpoints are shuffled first, so that nothing can be read from where they stand.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from mvc.geometry import sign_tensor
from mvc.papers.outcome import EngineScores
from mvc.trajectory import Declared, Inference, Population, infer, lay_out

Weights = npt.NDArray[np.float32]
Ints = npt.NDArray[np.intp]


def judge_engine(weights: Weights, shapes: Mapping[str, tuple[int, ...]], *, initial: bool) -> EngineScores:
    """Infers the lineages of weights [runs, checkpoints, d] thrown together and compares them with the truth.

    ``shapes`` name the tensors that d is made of; ``initial`` is only recorded.
    """
    runs, length, size = weights.shape
    shuffled = np.random.default_rng(0).permutation(runs * length)
    vectors = signatures(weights.reshape(-1, size)[shuffled], list(shapes.values()))
    run, place = np.divmod(shuffled, length)
    keys = tuple(f"{i:08d}" for i in range(len(shuffled)))
    start = time.monotonic()
    found = infer(Population(keys, vectors, lay_out(shapes.items()), tuple(Declared() for _ in keys)))
    seconds = time.monotonic() - start
    return _score(found, run, place, initial=initial, seconds=seconds)


def signatures(points: Weights, shapes: Sequence[tuple[int, ...]]) -> Weights:
    """Vectors [n, k] that inference reads, of flat weights [n, d]: each tensor's signature, joined."""
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
    rows = [np.concatenate([sign_tensor(part).values for part in np.split(point, ends)]) for point in points]
    return np.stack(rows)


def _score(found: Inference, run: Ints, place: Ints, *, initial: bool, seconds: float) -> EngineScores:
    runs, length = int(run.max()) + 1, int(place.max()) + 1
    pure, right, stated = 0, 0, 0
    pairs = np.zeros(runs)
    for lineage in found.lineages:
        members = np.array(lineage.members)
        counts = np.bincount(run[members], minlength=runs)
        owner = int(counts.argmax())
        pure += int(counts[owner])
        places, own = place[members], run[members] == owner
        adjacent = (np.abs(np.diff(places)) == 1) & own[1:] & own[:-1]
        # a run found in pieces has the order of its best piece, and what lies between pieces counts as lost
        pairs[owner] = max(pairs[owner], float(adjacent.sum()) / max(length - 1, 1))
        if lineage.direction.source == "weights" and len(members) > 1:
            stated += 1
            right += int(places[0] < places[-1])
    return EngineScores(
        initial=initial,
        points=len(run),
        runs=runs,
        runs_found=len(found.lineages),
        purity=pure / len(run),
        pairs_mean=float(pairs.mean()),
        pairs_worst=float(pairs.min()),
        directions_stated=stated,
        directions_right=right,
        seconds=round(seconds, 1),
    )
