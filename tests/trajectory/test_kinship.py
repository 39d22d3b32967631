"""Kinship's forest: the same however it grew, and the one that all cosines together give."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mvc.geometry import sign_tensor
from mvc.testing.trajectories import SHAPES, Walk, synthetic_run, tensors_of
from mvc.trajectory import Block, lay_out
from mvc.trajectory.kinship import CERTAIN, Forest, Yardstick, grow, kinship, prune, telling, varying
from mvc.trajectory.mst import components, minimum_spanning_tree

BLOCKS = lay_out(SHAPES.items())


def signatures(seed: int) -> np.ndarray:
    """Two runs, a fork, a copy in half precision, a dead model and the same model twice, thrown together."""
    main = synthetic_run(seed, Walk(points=9))
    fork = synthetic_run(seed + 1, Walk(points=4, first=0.2), start=main[4])
    copy = main[3:4].astype(np.float16).astype(np.float64)
    points = np.concatenate([main, fork, synthetic_run(seed + 2, Walk(points=6)), copy, 0 * copy, 0 * copy, main[7:8]])
    vectors = [np.concatenate([sign_tensor(t).values for t in tensors_of(point).values()]) for point in points]
    return np.stack(vectors)[np.random.default_rng(seed).permutation(len(points))]


def same(a: Forest, b: Forest) -> bool:
    return all(np.array_equal(x, y) for x, y in ((a.edges, b.edges), (a.links, b.links), (a.null, b.null)))


@given(data=st.data(), seed=st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_the_forest_does_not_depend_on_how_it_grew(data: st.DataObject, seed: int) -> None:
    vectors = signatures(seed)
    n, yardstick = len(vectors), Yardstick.of(BLOCKS)
    order = np.array(data.draw(st.permutations(range(n))))
    there = np.empty(0, dtype=np.intp)
    forest = Forest.empty()
    while len(there) < n:
        part = data.draw(st.integers(1, n - len(there)))
        now = np.sort(order[: len(there) + part])
        place = np.searchsorted(now, there)
        new = np.setdiff1d(np.arange(len(now)), place)
        forest = grow(forest, yardstick, yardstick.units(vectors[now]), new)
        there = now
    assert same(forest, kinship(vectors, BLOCKS))


@given(data=st.data(), seed=st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_what_stays_of_a_forest_grows_into_that_of_the_points_left(data: st.DataObject, seed: int) -> None:
    vectors = signatures(seed)
    left = np.array(data.draw(st.lists(st.booleans(), min_size=len(vectors), max_size=len(vectors))))
    forest, points = prune(kinship(vectors, BLOCKS), left)
    if not left.any():
        assert len(points) == 0
        return
    remaining = np.flatnonzero(left)
    assert set(points) <= set(remaining)
    yardstick = Yardstick.of(BLOCKS)
    new = np.setdiff1d(np.arange(len(remaining)), np.searchsorted(remaining, points))
    assert same(grow(forest, yardstick, yardstick.units(vectors[left]), new), kinship(vectors[left], BLOCKS))


@pytest.mark.parametrize("seed", range(4))
def test_families_are_those_of_cosines_in_double_precision(seed: int) -> None:
    vectors = np.unique(signatures(seed), axis=0)
    cosines = cosines_of(vectors)
    forest = kinship(vectors, BLOCKS)
    edges, gaps = minimum_spanning_tree(1.0 - cosines)
    assert np.allclose(np.sort(forest.links), np.sort(1.0 - gaps), atol=1e-3)
    assert np.allclose(forest.links, cosines[forest.edges[:, 0], forest.edges[:, 1]], atol=1e-3)
    kin = components(len(vectors), forest.edges[forest.kept])
    assert kin.tolist() == components(len(vectors), edges[1.0 - gaps > 0.3]).tolist()


def cosines_of(vectors: np.ndarray) -> np.ndarray:
    """Cosines of models whose every tensor is centred and scaled to unit variance."""
    parts = []
    for block in BLOCKS:
        residual = vectors[:, block.start + 1 : block.stop].astype(np.float64)
        norms = np.linalg.norm(residual, axis=1, keepdims=True)
        parts.append(residual / np.where(norms > 0, norms, 1.0) * np.sqrt(block.numel))
    joined = np.concatenate(parts, axis=1)
    norms = np.linalg.norm(joined, axis=1, keepdims=True)
    joined /= np.where(norms > 0, norms, 1.0)
    found: np.ndarray = joined @ joined.T
    return found


def test_constant_tensors_tell_nothing_unless_they_are_most_of_the_model() -> None:
    vectors = signatures(0)
    first = slice(BLOCKS[0].start, BLOCKS[0].stop)
    vectors[:, first] = vectors[0, first]
    assert varying(vectors, BLOCKS) == [False, True, True]
    shares = [block.numel / sum(block.numel for block in BLOCKS) for block in BLOCKS]
    assert shares[0] > 0.5 and telling(BLOCKS, varying(vectors, BLOCKS)) == [0, 1, 2]
    assert telling(BLOCKS, [True, False, True]) == [0, 2]
    assert telling(BLOCKS[:2], [False, False]) == [0, 1]


def test_the_longest_unit_stays_exact() -> None:
    """Rounding may lengthen a unit; its square must not leave what single precision holds."""
    blocks = lay_out([(f"t{i}", (64, 64)) for i in range(12)])
    yardstick = Yardstick.of(blocks)
    vectors = np.zeros((2, blocks[-1].stop), dtype=np.float32)
    for block in blocks:
        vectors[:, block.start + 1 : block.stop : 2], vectors[:, block.start + 2 : block.stop : 2] = 1.0, -1.0
    units = yardstick.units(vectors).astype(np.int64)
    assert int((units**2).sum(axis=1).max()) <= 1 << 24


@pytest.mark.parametrize("numbers", [64, 100])
def test_strangers_of_a_few_numbers_stay_strangers(numbers: int) -> None:
    values = np.random.default_rng(0).normal(size=(3000, numbers))
    vectors = np.concatenate([np.zeros((3000, 1)), values], axis=1)
    forest = kinship(vectors, (Block("few", 0, numbers + 1, numbers),))
    assert numbers > 64 or forest.links.max() > CERTAIN  # chance alone reaches it
    assert not forest.kept.any()
