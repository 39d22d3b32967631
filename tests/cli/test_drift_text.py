"""How `diff` and `blame` look: what is listed, what is summed up, what fits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from mvc.cli import main
from mvc.cli.text import fit_name, spark, width

Invoke = Callable[..., tuple[int, str, str]]
LAYERS = 25


def deep(seed: int, length: int) -> list[dict[str, np.ndarray]]:
    """A run of a network of LAYERS blocks of three tensors; those of block 0 are frozen from the third point on."""
    rng = np.random.default_rng(seed)
    names = [f"model.blocks.{i}.{leaf}" for i in range(LAYERS) for leaf in ("fc.weight", "fc.bias", "norm.weight")]
    shapes = {name: (12, 8) if name.endswith("fc.weight") else (12,) for name in names}
    points = [{name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}]
    for i in range(1, length):
        points.append(
            {
                name: value if ".0." in name and i > 2 else (value + 0.1 * rng.normal(size=value.shape)).astype("f4")
                for name, value in points[-1].items()
            }
        )
    return points


@pytest.fixture
def invoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Invoke:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MVC_AUTHOR", "A Tester <t@example.org>")

    def call(*args: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = main.run(list(args))
        return (code, *capfd.readouterr())

    points = deep(0, 6)
    for i, point in enumerate(points):
        save_file(point, f"{i}.safetensors")
    # the same model with three values edited in one tensor, and a merged adapter of rank 2 in another
    edited = {name: value.copy() for name, value in points[-1].items()}
    edited["model.blocks.7.fc.weight"][0, :3] += 1
    rng = np.random.default_rng(9)
    edited["model.blocks.9.fc.weight"] += (rng.normal(size=(12, 2)) @ rng.normal(size=(2, 8))).astype(np.float32)
    save_file(edited, "edited.safetensors")
    assert call("init")[0] == 0
    assert call("commit", *(f"{i}.safetensors" for i in range(6)))[0] == 0
    return call


def test_many_tensors_are_shown_by_layer_and_cut_with_the_count(invoke: Invoke) -> None:
    code, out, _ = invoke("diff", "0.safetensors", "1.safetensors")
    lines = out.splitlines()
    assert code == 0 and max(map(len, lines)) <= 80
    assert sum("blocks" in line for line in lines) == 40
    assert any(line.startswith(" … 10 more, ") for line in lines)
    assert any(line.startswith("75 tensors: 75 changed · largest change 0.") for line in lines)
    _, out, _ = invoke("diff", "0.safetensors", "1.safetensors", "--by", "tensor", "--all")
    assert sum("blocks" in line for line in out.splitlines()) == 75
    _, out, _ = invoke("diff", "0.safetensors", "1.safetensors", "--depth", "1")
    assert out.splitlines()[0].split() == ["model", "100", "%", "██████████", *out.split()[4:6], "75", "tensors"]


def test_kinds_of_change_are_named(invoke: Invoke) -> None:
    _, out, _ = invoke("diff", "HEAD", "./edited.safetensors")
    first, second = out.splitlines()[:2]
    assert first.endswith("rel  rank 2") and second.endswith("rel  3 of 96 values")
    assert "low rank: the change of 1 of 2 changed tensors has rank 2, as a merged adapter's" in out
    assert "sparse: in 1 of 2 changed tensors only 3 of 96 values changed" in out


def test_spectra_stand_below(invoke: Invoke) -> None:
    _, out, _ = invoke("diff", "HEAD", "./edited.safetensors", "--spectra")
    assert "spectral norm" in out and max(map(len, out.splitlines())) <= 80
    row = next(line for line in out.splitlines() if line.startswith(" model.blocks.9.fc.weight") and "→" in line)
    assert 1 <= float(row.split()[-1]) <= 2


def test_blame_groups_equal_rows(invoke: Invoke) -> None:
    code, out, _ = invoke("blame", "HEAD")
    rows = [line for line in out.splitlines() if "blocks" in line]
    assert code == 0 and len(rows) <= 40 and max(map(len, out.splitlines())) <= 80
    assert sum("(3)" in row for row in rows) == LAYERS
    _, log, _ = invoke("log")
    third = next(line.split()[0] for line in log.splitlines() if "2.safetensors" in line)
    assert rows[0].startswith(f"{third}  model.blocks.0 (3)")
    assert "3 tensors (120 values) last changed in " + third in out
    _, out, _ = invoke("blame", "HEAD", "--by", "tensor")
    assert sum("blocks" in line for line in out.splitlines()) == 75


def test_an_uncommitted_file_is_blamed_by_its_path(invoke: Invoke) -> None:
    _, out, _ = invoke("blame", "./edited.safetensors", "--tensor", "*.9.*")
    assert "1 tensor (96 values) last changed in …tensors" in out


def test_names_keep_their_numbers() -> None:
    name = "bond_conv_layers.0.twoBody_bond.mlp_gate.layers.0"
    assert fit_name(name, 60) == name
    assert fit_name(name, 40) == "bond_con….0.twoBody_….mlp_gate.layers.0"
    assert all(width(fit_name(name, columns)) <= columns for columns in range(8, 60))


def test_sparks() -> None:
    assert spark([0.0, 0.01, 0.5, 1.0, -0.2]) == " ▁▄█-"
    assert spark([0.0, -1.0]) == " -"
    assert spark([]) == ""
