"""Networks really trained, some of their layers frozen: blame is right to the tensor, wherever forks were inferred."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from mvc.porcelain.blame import blame
from mvc.porcelain.commits import commit
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository

Write = Callable[..., Path]
Arrays = dict[str, np.ndarray]


@dataclass
class Truth:
    """Models by name in the order of training, and for each tensor of each the model that last changed it."""

    models: dict[str, Arrays] = field(default_factory=dict)
    changed: dict[str, dict[str, str]] = field(default_factory=dict)

    def add(self, name: str, arrays: Arrays, sources: Mapping[str, float]) -> None:
        origins = {
            tensor: next(
                (self.changed[s][tensor] for s in sources if np.array_equal(self.models[s].get(tensor), value)), name
            )
            for tensor, value in arrays.items()
        }
        self.models[name], self.changed[name] = arrays, origins


def arrays_of(net: torch.nn.Module) -> Arrays:
    return {name: value.detach().numpy().copy() for name, value in net.state_dict().items()}


def epoch(net: torch.nn.Module, data: tuple[torch.Tensor, torch.Tensor], frozen: tuple[str, ...], adam: bool) -> None:
    for name, parameter in net.named_parameters():
        parameter.requires_grad = not name.startswith(frozen) if frozen else True
    free = [parameter for parameter in net.parameters() if parameter.requires_grad]
    optimiser = torch.optim.Adam(free, 2e-3) if adam else torch.optim.SGD(free, 0.05, momentum=0.9)
    images, labels = data
    for batch in torch.randperm(len(images)).split(64):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(net(images[batch]), labels[batch]).backward()
        optimiser.step()


def network() -> torch.nn.Sequential:
    linear, relu = torch.nn.Linear, torch.nn.ReLU
    return torch.nn.Sequential(linear(64, 48), relu(), linear(48, 24), relu(), linear(24, 10))


@pytest.fixture(scope="module")
def truth() -> Truth:
    """Two runs; of each four fine-tunes of several epochs on mirrored digits, with some layers frozen, an average of
    two of their checkpoints, and a model with another head on a frozen body."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    digits = load_digits()
    images = torch.tensor(digits.images.reshape(-1, 64) / 16, dtype=torch.float32)
    labels = torch.tensor(digits.target)
    data, mirrored = (images, labels), (images.flip(1), labels)
    found = Truth()

    def train(net: torch.nn.Module, start: str, name: str, epochs: int, adam: bool, frozen: tuple[str, ...]) -> str:
        for i in range(1, epochs + 1):
            epoch(net, mirrored if frozen else data, frozen, adam)
            found.add(f"{name}/{i}", arrays_of(net), {start: 1.0})
            start = f"{name}/{i}"
            nets[start] = copy.deepcopy(net)
        return start

    nets: dict[str, torch.nn.Module] = {}
    for base, adam in (("adam", True), ("sgd", False)):
        net = network()
        found.add(f"{base}/0", arrays_of(net), {})
        train(net, f"{base}/0", base, 8, adam, ())
        tuned = [
            train(copy.deepcopy(nets[f"{base}/{at}"]), f"{base}/{at}", f"{base}-{at}-{name}", 4, adam, frozen)
            for at, name, frozen in (
                (5, "a", ("0.",)),
                (8, "a", ("0.", "2.")),
                (3, "a", ("0.", "4.")),
                (8, "b", ("2.",)),
            )
        ]
        parts = {f"{base}-8-a/3": 0.5, f"{base}-8-a/4": 0.5}
        soup = {
            name: sum(w * found.models[part][name].astype(np.float64) for part, w in parts.items()).astype(np.float32)
            for name in found.models[tuned[0]]
        }
        found.add(f"{base}-soup/0", soup, parts)
        headed = copy.deepcopy(nets[f"{base}/8"])
        headed[4] = torch.nn.Linear(24, 12)
        train(headed, f"{base}/8", f"{base}-head", 2, adam, ("0.", "2."))
    torch.set_num_threads(threads)
    return found


@pytest.fixture(scope="module")
def committed(truth: Truth, tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, dict[str, str]]:
    """All of them in one repository, with the names of the commits."""
    from safetensors.numpy import save_file  # noqa: PLC0415

    root = tmp_path_factory.mktemp("trained")
    for name, arrays in truth.models.items():
        (root / name).parent.mkdir(exist_ok=True)
        save_file(arrays, root / f"{name}.safetensors")
    workspace = Workspace.of(Repository.init(root), author="A Tester <t@example.org>")
    made = commit(workspace, [root / f"{name}.safetensors" for name in truth.models]).commits
    return workspace, {row.id: name for row, name in zip(made, truth.models, strict=True)}


def test_every_tensor_of_every_model(truth: Truth, committed: tuple[Workspace, dict[str, str]]) -> None:
    workspace, names = committed
    wrong = []
    for commit_id, name in names.items():
        result = blame(workspace, commit_id)
        told = {row.name: names[row.commit] for row in result.tensors}
        wrong += [(name, t, told[t], right) for t, right in truth.changed[name].items() if told[t] != right]
        for row in result.tensors:
            if row.displacement and row.displacement > 1e-3:
                assert sum(part.share for part in row.contributions) == pytest.approx(1, abs=1e-4)
    assert wrong == []
