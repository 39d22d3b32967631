"""The population meant for Fashion-MNIST: trained on whatever a directory of IDX files holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mvc.zoo.data import digits
from mvc.zoo.growing import train_grid
from mvc.zoo.published import find_population
from mvc.zoo.sources import load_for
from tests.zoo.idx import write_idx_directory


def test_it_learns_from_a_directory_of_idx_files(tmp_path: Path) -> None:
    data = digits(28)
    raw = {
        "x_train": (255 * data.x_train[:600]).astype(np.uint8),
        "y_train": data.y_train[:600].astype(np.uint8),
        "x_test": (255 * data.x_test).astype(np.uint8),
        "y_test": data.y_test.astype(np.uint8),
    }
    (tmp_path / "idx").mkdir()
    write_idx_directory(tmp_path / "idx", raw, packed=True)
    grid = find_population("fashion-seed", seeds=2, epochs=2)
    zoo = train_grid(grid, load_for(grid.base, tmp_path / "idx"), tmp_path / "zoo")
    assert zoo.weights.shape == (2, 3, 2464) and np.isfinite(zoo.weights).all()
    assert zoo.facts["test_accuracy"][:, -1].min() > 0.3 > zoo.facts["test_accuracy"][:, 0].max()
    assert zoo.facts["f1"].shape == (2, 3, 10)
