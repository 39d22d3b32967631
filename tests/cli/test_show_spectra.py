"""`mvc show --spectra`: every trainable tensor has its row or its reason, in text and as JSON."""

from __future__ import annotations

import json
import math
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.cli.conftest import Run

EVIL = "evil\x1b[31m[bold]\u202e.weight"


@pytest.fixture
def model(tmp_path: Path, mvc: Run) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    spiked = rng.normal(size=(96, 64)) + 4 * np.outer(rng.normal(size=96), rng.normal(size=64)) / 8
    tensors = {
        "big.weight": spiked.astype(np.float32),
        "bf16.weight": rng.normal(size=(70, 80)).astype(ml_dtypes.bfloat16),
        "conv.weight": rng.normal(size=(16, 8, 3, 3)).astype(np.float32),
        "small.weight": rng.normal(size=(4, 64)).astype(np.float32),
        "bias": rng.normal(size=64).astype(np.float16),
        "broken.weight": np.full((10, 10), np.nan, np.float32),
        "steps": np.arange(3),
        EVIL: rng.normal(size=(20, 20)).astype(np.float32),
    }
    save_file(tensors, str(tmp_path / "model.safetensors"))
    assert mvc("init").returncode == 0
    assert mvc("commit", "model.safetensors").returncode == 0
    return tensors


def test_json(model: dict[str, np.ndarray], mvc: Run) -> None:
    value = json.loads(mvc("show", "--spectra", "--json").stdout, parse_constant=pytest.fail)
    rows = {row["name"]: row for row in value["spectra"]}
    assert rows.keys() == model.keys() - {"steps"}
    for name in ("big.weight", "bf16.weight"):
        weight = model[name].astype(np.float64)
        assert rows[name]["spectral_norm"] == pytest.approx(np.linalg.norm(weight, 2))
        assert rows[name]["statistics"]["variance"] == pytest.approx(weight.var())
        assert rows[name]["statistics"]["p100"] == weight.max()
        assert rows[name]["tail"]["alpha"] > 1 and 0 < rows[name]["tail"]["distance"] < 1
        assert rows[name]["silence"] == [] and rows[name]["plausibility"] is None
    assert rows["big.weight"]["bulk"]["spikes"] == 1
    assert rows["bf16.weight"]["bulk"]["spikes"] == 0
    assert rows["conv.weight"]["slices"] == 9 and rows["conv.weight"]["tail"] is not None
    assert rows["small.weight"]["silence"] == ["smaller side 4, 8 are needed"]
    assert rows["broken.weight"]["silence"] == ["values that are not finite"]
    assert set(rows["broken.weight"]["statistics"].values()) == {None}
    assert rows["bias"]["silence"] == ["not a matrix"]
    assert all(math.isfinite(x) for x in rows["bias"]["statistics"].values())


def test_json_has_no_spectra_unless_asked(model: dict[str, np.ndarray], mvc: Run) -> None:
    assert json.loads(mvc("show", "--json").stdout)["spectra"] is None


def test_text(model: dict[str, np.ndarray], mvc: Run) -> None:
    done = mvc("show", "--spectra")
    assert done.returncode == 0 and not done.stderr
    assert not {"\x1b", "\u202e"} & set(done.stdout)
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 100
    (big,) = [line for line in lines if "big.weight" in line]
    assert "96×64" in big and "±" in big
    assert not any(line.strip().startswith("bias") for line in lines)
    assert any("smaller side 4, 8 are needed" in line for line in lines)
    everything = mvc("show", "--spectra", "--all").stdout
    assert any(line.strip().startswith("bias") for line in everything.splitlines())


def test_plausibility_on_demand(model: dict[str, np.ndarray], mvc: Run) -> None:
    one, other = (mvc("show", "--spectra", "--bootstrap", "20", "--json").stdout for _ in range(2))
    assert one == other
    rows = {row["name"]: row for row in json.loads(one)["spectra"]}
    assert 0 <= rows["big.weight"]["plausibility"] <= 1
    assert rows["bias"]["plausibility"] is None
    done = mvc("show", "--bootstrap", "20")
    assert done.returncode == 2 and "--spectra" in done.stderr
