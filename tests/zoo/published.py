"""A small zoo as Unterthiner et al. distribute theirs: what is known of their files, written anew."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path
from typing import Any

import numpy as np

#: biases before kernels, as Keras models are flattened there
LAYOUT = (
    ("sequential/conv2d/bias:0", (3,)),
    ("sequential/conv2d/kernel:0", (2, 2, 1, 3)),
    ("sequential/dense/bias:0", (4,)),
    ("sequential/dense/kernel:0", (3, 4)),
)
EPOCHS = (0, 1, 20)


def as_csv(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def write_zoo(directory: Path, models: int = 4) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """Weights (N, 31) and metrics, models in turn; model 1 lacks its last epoch, model 2 has gone to NaN."""
    directory.mkdir(exist_ok=True)
    rows, layout = [], []
    start = 0
    for name, shape in LAYOUT:
        stop = start + int(np.prod(shape))
        layout.append({"": len(layout), "varname": name, "start_idx": start, "end_idx": stop, "shape": str(shape)})
        start = stop
    for number, epoch in enumerate(epoch for epoch in EPOCHS for _ in range(models)):
        model = number % models
        rows.append(
            {
                "": number,
                "modeldir": f"/some/where/{model}",
                "step": epoch,
                "train_accuracy": 0.1 * model + 0.01 * epoch,
                "test_accuracy": 0.1 * model,
                "config.learning_rate": 10.0**-model,
                "config.l2reg": 1e-4 * model,
                "config.dropout": 0.5,
                "config.train_fraction": 0.25,
                "config.random_seed": 42,
                "config.activation": "relu" if model % 2 else "tanh",
                "config.w_init": "glorot_normal",
                "config.optimizer": "adam",
            }
        )
    rows = [row for row in rows if (row["modeldir"], row["step"]) != ("/some/where/1", 20)]
    weights = np.random.default_rng(0).standard_normal((len(rows), start)).astype(np.float32)
    weights[[row["modeldir"] == "/some/where/2" and row["step"] == 20 for row in rows], 5] = np.nan
    np.save(directory / "weights.npy", weights)
    (directory / "metrics.csv.gz").write_bytes(gzip.compress(as_csv(rows)))
    (directory / "layout.csv").write_bytes(as_csv(layout))
    return weights, rows
