"""Attribution of a tensor's displacement, against its definition."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mvc.geometry import sign_tensor
from mvc.objects import ObjectId, TensorSpec
from mvc.porcelain.ancestry import Ancestry, Point
from mvc.porcelain.blame import attribute
from mvc.porcelain.reading import Model

Sources = Mapping[int, float]


def model(values: Mapping[str, Any], *, signed: bool = True) -> Model:
    return Model(
        {name: TensorSpec("F32", value.shape) for name, value in values.items()},
        {name: ObjectId(hashlib.sha256(value.tobytes()).hexdigest()) for name, value in values.items()},
        {name: sign_tensor(value) for name, value in values.items()} if signed else {},
    )


def graph(values: Sequence[Any], sources: Sequence[Sources] | None = None, *, signed: bool = True) -> Ancestry:
    """Points c0, c1, … of one tensor "w" or of several by name; without ``sources`` each goes on from the one before.

    Equal values have equal ids.
    """
    chain: Sequence[Sources] = sources or [{i - 1: 1.0} if i else {} for i in range(len(values))]
    points = [
        Point(
            f"c{i}",
            "extends" if chain[i] else "starts",
            model(one if isinstance(one, dict) else {"w": one}, signed=signed),
            chain[i],
        )
        for i, one in enumerate(values)
    ]
    return Ancestry(points, {})


@given(st.integers(2, 12), st.integers(0, 2**32 - 1))
def test_shares_along_a_walk(length: int, seed: int) -> None:
    walk = np.cumsum(np.random.default_rng(seed).normal(size=(length, 8)), 0).astype(np.float32)
    (row,) = attribute(graph(list(walk)))
    assert sum(part.share for part in row.contributions) == pytest.approx(1.0)
    whole = (walk[-1] - walk[0]).astype(np.float64)
    assert row.displacement == pytest.approx(float(np.linalg.norm(whole)))
    for part in row.contributions:
        i = int(part.commit[1:])
        step = (walk[i] - walk[i - 1]).astype(np.float64)
        assert part.share == pytest.approx(step @ whole / (whole @ whole), abs=1e-5)
        assert part.error == 0


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[np.ndarray], list[dict[int, float]]]:
    """Points that start, go on from any earlier one, stay equal to it, or are averages of some of them."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values, sources = [rng.normal(size=12).astype(np.float32)], [{}]
    for i in range(1, draw(st.integers(2, 14))):
        kind = draw(st.sampled_from(["train", "train", "mix", "copy", "start"]))
        if kind == "mix" and i > 1:
            parts = draw(st.lists(st.integers(0, i - 1), min_size=2, max_size=4, unique=True))
            weights = rng.normal(size=len(parts)) + 0.5
            mixed = dict(zip(parts, (weights / weights.sum()).tolist(), strict=True))
            average = sum(weight * values[part].astype(np.float64) for part, weight in mixed.items())
            values.append(np.asarray(average).astype(np.float32))
            sources.append(mixed)
        elif kind == "start":
            values.append(rng.normal(size=12).astype(np.float32))
            sources.append({})
        else:
            source = draw(st.integers(0, i - 1))
            change = rng.normal(size=12) if kind == "train" else 0
            values.append((values[source] + change).astype(np.float32))
            sources.append({source: 1.0})
    return values, sources


@given(histories())
def test_shares_sum_to_one_across_forks_and_averages(history: tuple[list[Any], list[dict[int, float]]]) -> None:
    values, sources = history
    (row,) = attribute(graph(values, sources))
    if row.displacement and row.displacement > 1e-3:
        assert sum(part.share for part in row.contributions) == pytest.approx(1.0, abs=1e-3)
        assert len({part.commit for part in row.contributions}) == len(row.contributions)
    else:
        assert not row.displacement or row.displacement < 1e-3


def test_an_average_splits_shares_by_weight_and_along_each_source() -> None:
    """Two runs from one root, a step each along an axis of its own, averaged 3 : 1 and trained on."""
    axes = np.eye(4, dtype=np.float32)
    root = np.zeros(4, np.float32)
    values = [root, axes[0], 2 * axes[0], axes[1], 1.5 * axes[0] + 0.25 * axes[1]]
    values.append(values[-1] + axes[2])
    sources: list[Sources] = [{}, {0: 1.0}, {1: 1.0}, {0: 1.0}, {2: 0.75, 3: 0.25}, {4: 1.0}]
    (row,) = attribute(graph(values, sources))
    whole = 1.5**2 + 0.25**2 + 1
    assert row.displacement == pytest.approx(whole**0.5)
    assert {part.commit: part.share for part in row.contributions} == {
        "c1": pytest.approx(0.75 * 1.5 / whole),
        "c2": pytest.approx(0.75 * 1.5 / whole),
        "c3": pytest.approx(0.25 * 0.25 / whole),
        "c5": pytest.approx(1 / whole),
    }


def test_what_rounding_an_average_does_is_its_own() -> None:
    values = [np.zeros(4, np.float32), np.ones(4, np.float32), 3 * np.ones(4, np.float32), np.full(4, 2.5, np.float32)]
    (row,) = attribute(graph(values, [{}, {0: 1.0}, {0: 1.0}, {1: 0.5, 2: 0.5}]))
    shares = {part.commit: part.share for part in row.contributions}
    assert shares == {"c1": pytest.approx(0.2), "c2": pytest.approx(0.6), "c3": pytest.approx(0.2)}
    assert row.commit == "c3"


def test_the_commit_that_last_changed_a_tensor() -> None:
    a, b = np.arange(4, dtype=np.float32), np.ones(4, np.float32)
    (row,) = attribute(graph([a, b, b, b]))
    assert (row.commit, row.relation) == ("c1", "extends")
    assert [(part.commit, part.share) for part in row.contributions] == [("c1", pytest.approx(1.0))]


def test_a_frozen_tensor_is_followed_through_an_average_of_models_that_share_it() -> None:
    a, b = np.arange(4, dtype=np.float32), np.ones(4, np.float32)
    (row,) = attribute(graph([a, b, b, b, b], [{}, {0: 1.0}, {1: 1.0}, {1: 1.0}, {2: 0.4, 3: 0.6}]))
    assert row.commit == "c1"
    assert [(part.commit, part.share) for part in row.contributions] == [("c1", pytest.approx(1.0))]


def test_a_tensor_that_never_changed_belongs_to_the_root() -> None:
    a = np.ones(4, np.float32)
    (row,) = attribute(graph([a, a, a]))
    assert (row.commit, row.relation, row.contributions, row.displacement) == ("c0", "starts", (), 0.0)


def test_a_tensor_that_came_back_was_changed_by_the_commit_that_brought_it_back() -> None:
    a, b = np.zeros(4, np.float32), np.ones(4, np.float32)
    (row,) = attribute(graph([a, b, a]))
    assert (row.commit, row.contributions, row.displacement) == ("c2", (), 0.0)


def test_a_tensor_that_a_commit_added_starts_there() -> None:
    body, head, wide = np.ones(4, np.float32), np.arange(3, dtype=np.float32), np.arange(5, dtype=np.float32)
    points = [{"body": body, "head": head}, {"body": 2 * body, "head": wide}, {"body": 3 * body, "head": wide + 1}]
    rows = {row.name: row for row in attribute(graph([*points, {**points[-1], "new": head}]))}
    assert [part.commit for part in rows["body"].contributions] == ["c1", "c2"]
    assert [(part.commit, part.share) for part in rows["head"].contributions] == [("c2", pytest.approx(1.0))]
    assert (rows["head"].commit, rows["new"].commit, rows["new"].displacement) == ("c2", "c3", 0.0)


def test_bytes_of_another_commit_lead_there() -> None:
    """c3 seems to go on from c1, but has c2's bytes."""
    a, b, c = (np.arange(4, dtype=np.float32) + i for i in range(3))
    points = graph([a, b, c, c], [{}, {0: 1.0}, {0: 1.0}, {1: 1.0}]).points
    (row,) = attribute(Ancestry(points, {"w": {3: 2}}))
    assert row.commit == "c2"
    assert [(part.commit, part.share) for part in row.contributions] == [("c2", pytest.approx(1.0))]


def test_a_tensor_without_a_signature_has_no_shares() -> None:
    (row,) = attribute(graph([np.zeros(4, np.float32), np.ones(4, np.float32)], signed=False))
    assert (row.commit, row.contributions, row.displacement) == ("c1", (), None)


def test_sketches_are_as_good_as_they_say_and_reading_is_exact() -> None:
    rng = np.random.default_rng(0)
    off = []
    for _ in range(12):
        walk = np.cumsum(rng.normal(size=(9, 6000)), 0).astype(np.float32)
        ancestry = graph(list(walk))
        (sketched,) = attribute(ancestry)
        (exact,) = attribute(ancestry, read=lambda i, _, walk=walk: walk[i].astype(np.float64))
        whole = (walk[-1] - walk[0]).astype(np.float64)
        steps = np.diff(walk.astype(np.float64), axis=0)
        assert [part.share for part in exact.contributions] == pytest.approx((steps @ whole / (whole @ whole)).tolist())
        assert exact.displacement == pytest.approx(float(np.linalg.norm(whole)))
        assert sum(part.share for part in sketched.contributions) == pytest.approx(1.0, abs=1e-4)
        for near, right in zip(sketched.contributions, exact.contributions, strict=True):
            assert right.error == 0 < near.error < 0.05
            off.append((near.share - right.share) / near.error)
    assert 0.8 < float(np.std(off)) < 1.25  # the errors stated are those made


def test_patterns_choose_tensors() -> None:
    ancestry = graph([np.zeros(4, np.float32), np.ones(4, np.float32)])
    assert attribute(ancestry, "x*") == ()
    assert len(attribute(ancestry, "w*")) == 1
