"""The tetris data set: 4×4 grey images of four tetrominoes. Owns its definition, which is published and versioned.

Every image is made from 18 bytes of a SHAKE-256 stream, in whole numbers, so that it is the same on every machine and
with every library: the first byte says where the shape lies, the second how bright it is, the others are each pixel's
noise. docs/papers/tetris.md says the same in words, and why it is so. Changing anything here is a new version.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from mvc.zoo.data import Dataset

VERSION = 1
SIDE = 4
TRAINING, TESTING = 32, 4000  # different images, the same number of each class
REPEATED = 16  # how often the training set holds each of its images

#: class → its shape, always upright
SHAPES = (
    ("####",),  # I
    ("#.", "#.", "##"),  # L
    (".##", "##."),  # S
    ("###", ".#."),  # T
)
_BYTES = 2 + SIDE * SIDE  # of the stream for one image


def tetris() -> Dataset:
    """512 images to train with, 32 of them different, and 4,000 to test with; classes in turn: I, L, S, T."""
    x, y = _images("train", TRAINING)
    return Dataset(f"tetris-v{VERSION}", np.tile(x, (REPEATED, 1, 1)), np.tile(y, REPEATED), *_images("test", TESTING))


def _images(part: str, count: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Images (count, 4, 4) in [0, 1] and labels (count,)."""
    stream = hashlib.shake_256(f"mvc-tetris-v{VERSION}/{part}".encode()).digest(count * _BYTES)
    raw = np.frombuffer(stream, np.uint8).reshape(count, _BYTES).astype(np.int64)
    labels = np.arange(count) % len(SHAPES)
    shapes = np.zeros((count, SIDE, SIDE), np.int64)
    for label, shape in enumerate(SHAPES):
        places = placements(shape)  # (P, 4, 4)
        rows = labels == label
        shapes[rows] = places[raw[rows, 0] * len(places) // 256]
    brightness = 128 + raw[:, 1, None, None] // 2  # 128..255
    noise = (raw[:, 2:].reshape(-1, SIDE, SIDE) - 128) // 3  # -43..42
    return (np.clip(shapes * brightness + noise, 0, 255) / np.float32(255)).astype(np.float32), labels


def placements(shape: tuple[str, ...]) -> npt.NDArray[np.int64]:
    """Every place that a shape has on the board, (P, 4, 4) of 0 and 1: from the left, then from the top."""
    stamp = np.array([[pixel == "#" for pixel in row] for row in shape], np.int64)
    height, width = stamp.shape
    found = np.zeros((SIDE - height + 1, SIDE - width + 1, SIDE, SIDE), np.int64)
    for top in range(SIDE - height + 1):
        for left in range(SIDE - width + 1):
            found[top, left, top : top + height, left : left + width] = stamp
    return found.reshape(-1, SIDE, SIDE)
