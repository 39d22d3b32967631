"""The tetris data set is what was published, to the last bit."""

from __future__ import annotations

import hashlib

import numpy as np

from mvc.zoo import tetris
from mvc.zoo.tetris import SHAPES, placements


def test_version_1_never_changes() -> None:
    data = tetris.tetris()
    digest = hashlib.sha256()
    for array in (data.x_train, data.y_train, data.x_test, data.y_test):
        digest.update(array.tobytes())
    assert tetris.VERSION == 1
    assert digest.hexdigest() == "0e7786c31f51b37951781dc7db2ab0ae308adb5e07ccaab99fb1fc62df7305ac"


def test_few_images_to_train_with_and_many_to_test_with() -> None:
    data = tetris.tetris()
    assert data.x_train.shape == (512, 4, 4) and data.x_test.shape == (4000, 4, 4)
    assert len(np.unique(data.x_train, axis=0)) == 32 and len(np.unique(data.x_test, axis=0)) == 4000
    assert not set(map(bytes, data.x_train)) & set(map(bytes, data.x_test))
    assert np.bincount(data.y_train).tolist() == [128] * 4 and np.bincount(data.y_test).tolist() == [1000] * 4


def test_every_image_shows_its_shape_somewhere() -> None:
    data = tetris.tetris()
    for label, shape in enumerate(SHAPES):
        known = {place.astype(bool).tobytes() for place in placements(shape)}
        shown = [
            {(image > 0.25).tobytes() for image in images[labels == label]}  # noise stays below, a shape above
            for images, labels in ((data.x_train, data.y_train), (data.x_test, data.y_test))
        ]
        assert shown[0] <= known and shown[1] == known
