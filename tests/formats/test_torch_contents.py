"""What torch files hold besides plain tensors: modules, views, memory formats, odd dtypes, optimizers."""

from __future__ import annotations

import argparse
import collections
import io
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from mvc.formats import open_checkpoint, open_file
from tests.formats.makers import check_checkpoint, check_round_trip, torch_pickle, write_torch


def test_what_weights_only_refuses(tmp_path: Path) -> None:
    value = {
        "args": argparse.Namespace(lr=0.1, tensor=torch.zeros(2)),
        "best": np.float64(0.5),
        "counts": collections.defaultdict(list, a=[1]),
        "model": collections.OrderedDict(w=torch.ones(2)),
        "global_step": 12,
    }
    path = write_torch(tmp_path / "m.pt", value)
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=True)
    with open_checkpoint(path) as checkpoint:
        check_checkpoint(checkpoint, {"w": np.ones(2, dtype=np.float32)})
        assert checkpoint.facts == {"step": 12.0}
        assert [t.name for t in checkpoint.files[0][1].tensors if t.role == "other"] == ["args.tensor"]


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
        self.head = torch.nn.Linear(4, 2, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x))


@pytest.mark.parametrize("how", ["module", "legacy", "script"])
def test_whole_modules_are_named_as_their_state_dict(tmp_path: Path, how: str) -> None:
    net = Net()
    path = tmp_path / "m.pt"
    if how == "script":
        with pytest.warns(DeprecationWarning):
            torch.jit.save(torch.jit.trace(net.eval(), torch.ones(2, 3)), path)
    else:
        write_torch(path, net, legacy=how == "legacy")
    with open_checkpoint(path) as checkpoint:
        expected = {name: value.numpy() for name, value in net.state_dict().items()}
        check_checkpoint(checkpoint, expected)


@pytest.mark.parametrize("legacy", [False, True])
def test_memory_formats(tmp_path: Path, legacy: bool) -> None:
    base = torch.arange(2 * 3 * 4 * 5, dtype=torch.float32).reshape(2, 3, 4, 5)
    flat = torch.arange(100.0)
    state = {
        "last": base.clone(memory_format=torch.channels_last),
        "transposed": torch.arange(6.0).reshape(2, 3).clone().t(),
        "one": torch.arange(6.0).reshape(1, 6, 1).transpose(0, 1),
        "strided": torch.arange(10.0)[::3],
        "first": flat[:10],
        "second": flat[10:30].reshape(4, 5),
        "over": flat[5:15],
        "tied": base,
        "tied_again": base,
    }
    with open_checkpoint(write_torch(tmp_path / "m.pt", state, legacy)) as checkpoint:
        check_checkpoint(checkpoint, {name: np.ascontiguousarray(value.numpy()) for name, value in state.items()})
        ((_, file),) = checkpoint.files
        holed = {file.tensors[hole.tensor].name: hole.axes for hole in file.holes}
        assert holed == {
            "last": (0, 2, 3, 1), "transposed": (1, 0), "one": None, "first": None, "second": None, "tied": None
        }  # fmt: skip
        assert checkpoint.object_id("tied") == checkpoint.object_id("tied_again")


def test_large_leftovers_become_objects_of_their_own(tmp_path: Path) -> None:
    state = {"w": torch.arange(100_000.0)[::2], "x": torch.ones(2), "y": torch.arange(50_000.0)[:10]}
    with open_checkpoint(write_torch(tmp_path / "m.pt", state)) as checkpoint:
        ((_, file),) = checkpoint.files
        check_round_trip(file)
        sizes = [tensor.spec.nbytes for tensor in file.tensors if tensor.role == "storage"]
        assert sizes == [400_000, 200_000 - 40]


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_special_tensors(tmp_path: Path) -> None:
    quantised = torch.quantize_per_tensor(torch.tensor([0.5, 1.0, -1.0]), 0.1, 10, torch.quint8)
    value = {
        "quantised": quantised,
        "sparse": torch.eye(3).to_sparse(),
        "csr": torch.eye(3).to_sparse_csr(),
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "meta": torch.ones(2, device="meta"),
        "u16": torch.ones(2, dtype=torch.uint16),
        "bf16": torch.ones(2, dtype=torch.bfloat16),
    }
    with open_checkpoint(write_torch(tmp_path / "m.pt", value)) as checkpoint:
        assert list(checkpoint.specs) == [
            "quantised", "sparse.indices", "sparse.values", "csr.crow_indices", "csr.col_indices", "csr.values",
            "parameter", "u16", "bf16",
        ]  # fmt: skip
        assert bytes(checkpoint.read("quantised")) == quantised.int_repr().numpy().tobytes()
        assert checkpoint.specs["u16"].dtype == "U16"
        check_round_trip(checkpoint.files[0][1])


def test_legacy_views_of_storages(tmp_path: Path) -> None:
    storage = torch.arange(10.0)
    value = {"a": storage[2:6], "b": storage[4:8]}
    with open_checkpoint(write_torch(tmp_path / "m.pt", value, legacy=True)) as checkpoint:
        check_checkpoint(checkpoint, {name: tensor.numpy() for name, tensor in value.items()})


def test_roles_forced_by_the_caller(tmp_path: Path) -> None:
    parameter = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.AdamW([parameter])
    parameter.sum().backward()
    optimizer.step()
    path = write_torch(tmp_path / "optimizer.pt", optimizer.state_dict())
    with open_file(path, "optimizer") as file:
        assert {tensor.role for tensor in file.tensors} == {"optimizer"}
        assert "state.0.exp_avg" in {tensor.name for tensor in file.tensors}
    with open_checkpoint(path) as checkpoint:
        assert not checkpoint.specs  # recognised without being told


def test_torch_pickle_helper_matches_torch() -> None:
    assert torch_pickle({"w": torch.ones(1)}).endswith(b".")
    assert io.BytesIO(torch_pickle({})).read(1) == b"\x80"
