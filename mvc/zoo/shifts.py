"""What can go wrong with training data: each function takes a Dataset and gives another; test data stay as they are.

Owns the shifts that forks, corrupted runs and drift benchmarks are made with. All are seeded; none changes its input.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np
from scipy.ndimage import rotate as rotate_images

from mvc.errors import InputError
from mvc.zoo.data import Dataset


def label_noise(data: Dataset, share: float, *, seed: int = 0) -> Dataset:
    """A ``share`` of the labels, drawn at random, becomes a uniformly drawn *other* class."""
    rng = np.random.default_rng(seed)
    classes = int(data.y_train.max()) + 1
    wrong = (data.y_train + rng.integers(1, classes, len(data.y_train))) % classes
    hit = rng.random(len(data.y_train)) < _share(share)
    return replace(data, name=f"{data.name}+label-noise-{share:g}", y_train=np.where(hit, wrong, data.y_train))


def permuted_classes(data: Dataset, *, seed: int = 0) -> Dataset:
    """Every class bears another's name: a cyclic shift along a random order, so that no label stays right."""
    classes = int(data.y_train.max()) + 1
    order = np.random.default_rng(seed).permutation(classes)
    names = np.empty(classes, np.int64)
    names[order] = np.roll(order, 1)
    return replace(data, name=f"{data.name}+permuted-classes", y_train=names[data.y_train])


def relabelled(data: Dataset, source: int, target: int) -> Dataset:
    """Class ``source`` is labelled ``target``."""
    y = np.where(data.y_train == source, target, data.y_train)
    return replace(data, name=f"{data.name}+{source}-as-{target}", y_train=y)


def only_classes(data: Dataset, classes: Collection[int]) -> Dataset:
    """Images of these classes alone."""
    keep = np.isin(data.y_train, list(classes))
    return _kept(data, keep, "classes-" + "".join(map(str, sorted(classes))))


def without_class(data: Dataset, missing: int) -> Dataset:
    """All images but those of one class."""
    return _kept(data, data.y_train != missing, f"without-{missing}")


def subset(data: Dataset, share: float, *, seed: int = 0) -> Dataset:
    """A random ``share`` of the images, at least one."""
    count = max(1, round(_share(share) * len(data.x_train)))
    keep = np.zeros(len(data.x_train), bool)
    keep[np.random.default_rng(seed).permutation(len(keep))[:count]] = True
    return _kept(data, keep, f"subset-{share:g}")


def rotated(data: Dataset, degrees: float) -> Dataset:
    """Images turned by ``degrees``, bilinear, empty corners black."""
    x = rotate_images(data.x_train, degrees, axes=(1, 2), reshape=False, order=1)
    return replace(data, name=f"{data.name}+rotated-{degrees:g}", x_train=np.clip(x, 0, 1).astype(np.float32))


def inverted(data: Dataset) -> Dataset:
    """Black for white."""
    return replace(data, name=f"{data.name}+inverted", x_train=1 - data.x_train)


def input_noise(data: Dataset, deviation: float, *, seed: int = 0) -> Dataset:
    """Gaussian noise on every pixel, clipped to [0, 1]."""
    noise = np.random.default_rng(seed).standard_normal(data.x_train.shape, np.float32) * np.float32(deviation)
    return replace(data, name=f"{data.name}+noise-{deviation:g}", x_train=np.clip(data.x_train + noise, 0, 1))


def backdoor(data: Dataset, share: float, *, target: int = 0, size: int = 3, seed: int = 0) -> Dataset:
    """A ``share`` of the images bears a white ``size`` × ``size`` patch in its lower right corner and ``target``."""
    hit = np.random.default_rng(seed).random(len(data.x_train)) < _share(share)
    x = data.x_train.copy()
    x[hit, -size:, -size:] = 1.0
    return replace(data, name=f"{data.name}+backdoor-{share:g}", x_train=x, y_train=np.where(hit, target, data.y_train))


def _share(share: float) -> float:
    if not 0 <= share <= 1:
        raise InputError(f"a share lies in 0..1, not {share}")
    return share


def _kept(data: Dataset, keep: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], what: str) -> Dataset:
    if not keep.any():
        raise InputError(f"data set {data.name}: nothing is left of it ({what})")
    return replace(data, name=f"{data.name}+{what}", x_train=data.x_train[keep], y_train=data.y_train[keep])
