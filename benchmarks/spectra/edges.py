"""How well the bulk's edge is found where it is known, beside the weightwatcher package.

    python -m benchmarks.spectra.edges CHECKPOINT TENSOR N...

Keeps the N strongest directions of a real layer, adds noise whose edge lies 1 / 1.3 of the next direction's eigenvalue,
and prints both packages' edges over the true one and the spikes that they count. Docs: minilm
encoder.layer.0.attention.self.query.weight and encoder.layer.0.intermediate.dense.weight, 15 60; resemblyzer
linear.weight and lstm.weight_hh_l1, 10 30 60.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import numpy as np
from weightwatcher import WeightWatcher

from mvc.formats import open_checkpoint
from mvc.geometry.bulk import fit_bulk, marchenko_pastur_edge
from mvc.geometry.spectra import eigenvalues
from mvc.objects import read_array
from mvc.papers.tables import table_head, table_row


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("checkpoint", type=Path)
    reader.add_argument("tensor")
    reader.add_argument("strongest", type=int, nargs="+")
    asked = reader.parse_args()
    logging.getLogger("weightwatcher").setLevel(logging.ERROR)
    with open_checkpoint(asked.checkpoint) as opened:
        weight = read_array(opened, asked.tensor).astype(np.float64)
    left, sizes, right = np.linalg.svd(weight, full_matrices=False)
    columns, rows = sorted(weight.shape)
    rng = np.random.default_rng(0)
    print("\n".join(table_head(("planted", "edge, mvc", "spikes", "edge, weightwatcher", "spikes"))))
    for planted in asked.strongest:
        edge = float(sizes[planted]) ** 2 / 1.3
        noise = np.sqrt(edge / marchenko_pastur_edge(1.0, rows, columns)) * rng.normal(size=weight.shape)
        made = (left[:, :planted] * sizes[:planted]) @ right[:planted] + noise
        values = eigenvalues(made)
        ours = None if values is None else fit_bulk(values, rows, columns)
        if ours is None or isinstance(ours, str):
            raise SystemExit(f"no bulk in {asked.tensor}")
        (theirs,) = WeightWatcher().analyze(model={"x.weight": made.astype(np.float32)}, mp_fit=True).to_dict("records")
        row = (f"{ours.edge / edge:.2f}", str(ours.spikes), f"{theirs['bulk_max'] / edge:.2f}", theirs["num_spikes"])
        print(table_row((str(planted), *map(str, row))), flush=True)


if __name__ == "__main__":
    main()
