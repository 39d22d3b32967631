"""Small nets that are told apart, and copies of them with their units in another order."""

from __future__ import annotations

from typing import Any

import numpy as np

from mvc.geometry import derive, permute

Arrays = dict[str, Any]
RUNS, POINTS = 7, 6


def shuffled(model: Arrays) -> Arrays:
    spec = derive({name: value.shape for name, value in model.items()})
    assert spec is not None
    for units in spec.units:
        model = permute(model, units, np.random.default_rng(0).permutation(units.size))
    return model
