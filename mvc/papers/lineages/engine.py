"""mvc's own inference judged on populations whose runs are known. Owns the measure; the truth never enters inference.

Checkpoints are shuffled first, so that nothing can be read from where they stand.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from mvc.geometry import sign_tensor
from mvc.papers.lineages.outcome import EngineScores
from mvc.trajectory import Block, Declared, Inference, Population, infer, lay_out

Weights = npt.NDArray[np.float32]
Ints = npt.NDArray[np.intp]

#: numbers that a model is reduced to by `sketch`
SKETCH = 64


def judge_engine(weights: Weights, shapes: Mapping[str, tuple[int, ...]], *, initial: bool) -> EngineScores:
    """Infers the lineages of weights [runs, checkpoints, d] thrown together and compares them with the truth.

    ``shapes`` name the tensors that d is made of; ``initial`` is only recorded.
    """
    runs, length, size = weights.shape
    vectors = signatures(weights.reshape(-1, size), list(shapes.values()))
    return judge(vectors, lay_out(shapes.items()), known_runs(runs, length), initial=initial)


def judge_reduced(points: npt.NDArray[np.floating], truth: Ints, representation: str, *, initial: bool) -> EngineScores:
    """The same for points [n, k] that stand for models of which nothing else is known, as if they were k weights."""
    size = points.shape[1]
    vectors = np.concatenate([np.zeros((len(points), 1)), points], axis=1).astype(np.float32)  # no mean set apart
    blocks = (Block(representation, 0, size + 1, size),)
    return judge(vectors, blocks, truth, initial=initial, representation=representation)


def judge(
    vectors: Weights, blocks: tuple[Block, ...], truth: Ints, *, initial: bool, representation: str = "weights"
) -> EngineScores:
    """Infers the lineages of signatures [n, k]; ``truth`` [n, 2] is each one's run and its place in the run."""
    shuffled = np.random.default_rng(0).permutation(len(vectors))
    keys = tuple(f"{i:08d}" for i in range(len(shuffled)))
    start = time.monotonic()
    found = infer(Population(keys, vectors[shuffled], blocks, tuple(Declared() for _ in keys)))
    seconds = time.monotonic() - start
    run, place = truth[shuffled].T
    return _score(found, run, place, initial=initial, representation=representation, seconds=seconds)


def known_runs(runs: int, length: int) -> Ints:
    """Run and place [runs · length, 2] of checkpoints that stand run by run, in order."""
    return np.stack(np.divmod(np.arange(runs * length), length), axis=1)


def signatures(points: Weights, shapes: Sequence[tuple[int, ...]]) -> Weights:
    """Vectors [n, k] that inference reads, of flat weights [n, d]: each tensor's signature, joined."""
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
    rows = [np.concatenate([sign_tensor(part).values for part in np.split(point, ends)]) for point in points]
    return np.stack(rows)


def sketch(points: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Points [n, d] as SKETCH numbers each: a seeded Gaussian projection, which keeps distances on average."""
    projection = np.random.default_rng(0).normal(size=(points.shape[1], SKETCH)) / np.sqrt(SKETCH)
    projected: npt.NDArray[np.floating] = points @ projection
    return projected


def _score(
    found: Inference, run: Ints, place: Ints, *, initial: bool, representation: str, seconds: float
) -> EngineScores:
    lengths = np.bincount(run)
    runs = len(lengths)
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
        pairs[owner] = max(pairs[owner], float(adjacent.sum()) / max(int(lengths[owner]) - 1, 1))
        if lineage.direction.source == "weights" and len(members) > 1:
            stated += 1
            right += int(places[0] < places[-1])
    return EngineScores(
        representation=representation,
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
