"""Points in a plane: exact where the points lie in one, classical scaling in general, landmarks near it."""

from __future__ import annotations

import numpy as np
import pytest

import mvc.trajectory.scaling as scaling
from mvc.testing.trajectories import synthetic_run
from mvc.trajectory.scaling import landmark_scaling, stress


def distances(points: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points[:, None] - points[None], axis=2)


def test_points_of_a_plane_keep_their_distances() -> None:
    rng = np.random.default_rng(0)
    flat = rng.normal(size=(40, 2)) * [3, 1]
    basis = np.linalg.qr(rng.normal(size=(60, 2)))[0].T
    vectors = flat @ basis + 5
    plane = landmark_scaling(len(vectors), lambda rows: vectors[rows])
    assert np.allclose(distances(plane.places), distances(vectors), atol=1e-6)
    assert plane.stress < 1e-6
    assert sum(plane.explained) == pytest.approx(1)


def test_the_axes_are_principal_components() -> None:
    vectors = np.concatenate([synthetic_run(seed) for seed in range(3)])
    plane = landmark_scaling(len(vectors), lambda rows: vectors[rows])
    values, axes = np.linalg.eigh(np.cov((vectors - vectors.mean(0)).T))
    components = (vectors - vectors.mean(0)) @ axes[:, ::-1][:, :2]
    assert np.allclose(np.abs(plane.places), np.abs(components), atol=1e-6)
    assert np.allclose(plane.explained, values[::-1][:2] / values.sum())


def test_landmarks_put_the_others_where_all_points_would(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = np.concatenate([synthetic_run(seed) for seed in range(4)])
    whole = landmark_scaling(len(vectors), lambda rows: vectors[rows])
    monkeypatch.setattr(scaling, "LANDMARKS", 40)
    some = landmark_scaling(len(vectors), lambda rows: vectors[rows])
    assert np.corrcoef(distances(whole.places).ravel(), distances(some.places).ravel())[0, 1] > 0.98


def test_stress_knows_no_scale_and_grows_with_disorder() -> None:
    points = np.random.default_rng(1).normal(size=(30, 2))
    assert stress(points, 7 * points) == pytest.approx(0, abs=1e-6)
    assert 0.2 < stress(points, points[::-1]) < 1
    assert stress(np.zeros((3, 2)), np.zeros((3, 2))) == 0
    assert stress(points, np.zeros_like(points)) == 1


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_few_points(count: int) -> None:
    vectors = np.random.default_rng(2).normal(size=(count, 5))
    places = landmark_scaling(count, lambda rows: vectors[rows]).places
    assert places.shape == (count, 2)
    assert np.allclose(distances(places), distances(vectors), atol=1e-7)


def test_values_that_are_no_numbers_spoil_no_map() -> None:
    vectors = np.random.default_rng(3).normal(size=(6, 5))
    vectors[2, 1], vectors[3, 0] = np.nan, np.inf
    assert np.isfinite(landmark_scaling(6, lambda rows: vectors[rows]).places).all()
