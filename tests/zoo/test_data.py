"""Reading data sets in each layout, and what each shift does and leaves alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import zoom

from mvc.errors import FormatError, InputError, NotFoundError
from mvc.zoo import shifts
from mvc.zoo.cards import Card
from mvc.zoo.data import Dataset, digits, load
from mvc.zoo.sources import load_for
from tests.zoo.idx import write_idx_directory


@pytest.fixture
def raw() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "x_train": rng.integers(0, 256, (5, 28, 28), np.uint8),
        "y_train": np.arange(5, dtype=np.uint8),
        "x_test": rng.integers(0, 256, (3, 28, 28), np.uint8),
        "y_test": np.arange(3, dtype=np.uint8),
    }


def test_digits_are_real_and_in_range() -> None:
    data = load()
    assert data.x_train.shape == (1497, 14, 14) and data.x_test.shape == (300, 14, 14)
    assert data.x_train.dtype == np.float32 and data.x_train.min() >= 0 and data.x_train.max() <= 1
    assert set(data.y_train) == set(range(10))


@pytest.mark.parametrize("packed", [False, True])
def test_idx_and_npz_hold_the_same_images(tmp_path: Path, raw: dict[str, np.ndarray], packed: bool) -> None:
    idx = tmp_path / "idx"
    idx.mkdir()
    write_idx_directory(idx, raw, packed=packed)
    np.savez(tmp_path / "mnist.npz", **raw)
    one, two = load(idx), load(tmp_path / "mnist.npz")
    assert np.array_equal(one.x_train, two.x_train) and np.array_equal(one.y_test, two.y_test)
    block = raw["x_train"][0, :2, :2].mean() / 255
    assert one.x_train[0, 0, 0] == pytest.approx(block, abs=1e-6)


@pytest.mark.parametrize(("size", "side"), [(14, 28), (8, 14), (28, 20), (5, 3)])
def test_other_sizes_are_stretched_as_scipy_does(tmp_path: Path, size: int, side: int) -> None:
    images = np.random.default_rng(1).random((4, size, size))
    labels = np.arange(4)
    np.savez(tmp_path / "some.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    expected = zoom(images, (1, side / size, side / size), order=1, mode="nearest", grid_mode=True)
    assert load(tmp_path / "some.npz", side).x_train == pytest.approx(expected, abs=1e-6)


def test_a_card_gets_images_of_its_size(tmp_path: Path, raw: dict[str, np.ndarray], small_card: Card) -> None:
    np.savez(tmp_path / "mnist.npz", **raw)
    large = replace(small_card, architecture=replace(small_card.architecture, image=(1, 28, 28)))
    assert load_for(large, tmp_path / "mnist.npz").x_test * 255 == pytest.approx(raw["x_test"], abs=1e-4)
    assert load_for(small_card, tmp_path / "mnist.npz").x_test.shape == (3, 14, 14)
    assert load_for(large).x_train.shape == (1497, 28, 28)
    with pytest.raises(InputError, match="28×14"):
        load_for(replace(small_card, architecture=replace(small_card.architecture, image=(1, 28, 14))))
    with pytest.raises(InputError, match="own images"):
        load_for(replace(small_card, data="tetris"), tmp_path)


def test_damaged_data_are_refused(tmp_path: Path, raw: dict[str, np.ndarray]) -> None:
    with pytest.raises(NotFoundError):
        load(tmp_path / "nowhere")
    with pytest.raises(NotFoundError, match="train-images") as caught:
        load(tmp_path)
    assert "IDX" in caught.value.hint
    write_idx_directory(tmp_path, raw, packed=False)
    file = tmp_path / "t10k-images-idx3-ubyte"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(FormatError, match="the header says"):
        load(tmp_path)
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(FormatError):
        load(tmp_path / "bad.npz")
    np.savez(tmp_path / "short.npz", x_train=raw["x_train"])
    with pytest.raises(FormatError, match="y_train"):
        load(tmp_path / "short.npz")


def test_each_shift_changes_what_it_says(few_digits: Dataset) -> None:
    data = digits()
    before = data.fingerprint()
    noisy = shifts.label_noise(data, 0.37)
    assert np.mean(noisy.y_train != data.y_train) == pytest.approx(0.37, abs=0.03)
    assert (shifts.permuted_classes(data).y_train != data.y_train).all()
    assert (shifts.relabelled(data, 3, 8).y_train == 3).sum() == 0
    assert set(shifts.only_classes(data, range(5)).y_train) == set(range(5))
    assert set(shifts.without_class(data, 4).y_train) == set(range(10)) - {4}
    assert len(shifts.subset(data, 0.1).x_train) == 150
    assert np.array_equal(shifts.inverted(shifts.inverted(few_digits)).x_train.round(5), few_digits.x_train.round(5))
    assert not np.array_equal(shifts.rotated(few_digits, 15).x_train, few_digits.x_train)
    assert shifts.input_noise(few_digits, 0.3).x_train.max() <= 1
    patched = shifts.backdoor(data, 0.05, target=7)
    hit = (patched.x_train[:, -3:, -3:] == 1).all(axis=(1, 2))
    assert hit.mean() == pytest.approx(0.05, abs=0.02) and set(patched.y_train[hit]) == {7}
    assert data.fingerprint() == before
    assert shifts.inverted(data).moments == shifts.subset(data, 0.1).moments == data.moments
    with pytest.raises(InputError):
        shifts.label_noise(data, 1.5)
    with pytest.raises(InputError, match="nothing is left"):
        shifts.only_classes(data, [])
