"""Attribution of a tensor's displacement, against its definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mvc.objects import ObjectId
from mvc.porcelain.blame import Point, attribute


def points(values: list[np.ndarray]) -> tuple[list[Point], dict[ObjectId, np.ndarray]]:
    """A trajectory of one tensor "w": equal values have equal ids."""
    ids = [ObjectId(value.tobytes().hex()[:64].ljust(64, "0")) for value in values]
    rows = [
        Point(f"c{i}", "extends" if i else "starts", {"w": key}, {"w": value.size})
        for i, (key, value) in enumerate(zip(ids, values, strict=True))
    ]
    return rows, dict(zip(ids, values, strict=True))


@given(st.integers(2, 12), st.integers(0, 2**32 - 1))
def test_shares_sum_to_one(length: int, seed: int) -> None:
    walk = np.cumsum(np.random.default_rng(seed).normal(size=(length, 8)), 0).astype(np.float32)
    (row,) = attribute(*points(list(walk)))
    assert sum(part.share for part in row.contributions) == pytest.approx(1.0)
    whole = (walk[-1] - walk[0]).astype(np.float64)
    for part in row.contributions:
        i = int(part.commit[1:])
        assert part.share == pytest.approx(
            (walk[i] - walk[i - 1]).astype(np.float64) @ whole / (whole @ whole), abs=1e-5
        )


def test_the_commit_that_last_changed_a_tensor() -> None:
    a, b = np.zeros(4, np.float32), np.ones(4, np.float32)
    (row,) = attribute(*points([a, b, b, b]))
    assert (row.commit, row.relation) == ("c1", "extends")
    assert [(part.commit, part.share) for part in row.contributions] == [("c1", 1.0)]


def test_a_tensor_that_never_changed_belongs_to_the_root() -> None:
    a = np.ones(4, np.float32)
    (row,) = attribute(*points([a, a, a]))
    assert (row.commit, row.relation, row.contributions) == ("c0", "starts", ())


def test_a_tensor_that_came_back_was_changed_by_the_commit_that_brought_it_back() -> None:
    a, b = np.zeros(4, np.float32), np.ones(4, np.float32)
    (row,) = attribute(*points([a, b, a]))
    assert row.commit == "c2"
    assert row.contributions == ()


def test_a_tensor_without_a_signature_has_no_shares() -> None:
    rows, _ = points([np.zeros(4, np.float32), np.ones(4, np.float32)])
    (row,) = attribute(rows, {})
    assert row.commit == "c1" and row.contributions == ()


def test_patterns_choose_tensors() -> None:
    rows, signatures = points([np.zeros(4, np.float32), np.ones(4, np.float32)])
    assert attribute(rows, signatures, "x*") == ()
    assert len(attribute(rows, signatures, "w*")) == 1
