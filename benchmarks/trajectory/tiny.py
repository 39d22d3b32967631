"""A residual network with batch norm and a transformer, so small that a plain loop trains them. Trained once and kept.

Populations of other layouts than the batched trainer's, as lists of runs, each a list of checkpoints.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from mvc.zoo.data import load

Arrays = dict[str, npt.NDArray[np.float32]]
RUNS, EPOCHS, IMAGES, BATCH = 8, 8, 2048, 64


class Block(nn.Module):
    def __init__(self, into: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(into, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out)
        self.conv2, self.bn2 = nn.Conv2d(out, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out)
        projected = into != out or stride > 1
        projection = nn.Sequential(nn.Conv2d(into, out, 1, stride, bias=False), nn.BatchNorm2d(out))
        self.downsample = projection if projected else None

    def forward(self, x: Tensor) -> Tensor:
        skip = x if self.downsample is None else self.downsample(x)
        return torch.relu(skip + self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x))))))


class ResNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8)
        self.layer1 = nn.Sequential(Block(8, 8, 1), Block(8, 8, 1))
        self.layer2 = nn.Sequential(Block(8, 12, 2))
        self.fc = nn.Linear(12, 10)

    def forward(self, x: Tensor) -> Tensor:  # (B, 14, 14)
        x = torch.relu(self.bn1(self.conv1(x.unsqueeze(1))))
        return self.fc(self.layer2(self.layer1(x)).mean((2, 3)))


class Transformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.positions = nn.Linear(14, 24), nn.Parameter(torch.randn(14, 24) / 5)
        self.layers = nn.ModuleList(nn.TransformerEncoderLayer(24, 4, 48, 0.0, batch_first=True) for _ in range(2))
        self.head = nn.Linear(24, 10)

    def forward(self, x: Tensor) -> Tensor:  # (B, 14 rows, 14)
        x = self.embed(x) + self.positions
        for layer in self.layers:
            x = layer(x)
        return self.head(x.mean(1))


TINY: Mapping[str, Callable[[], nn.Module]] = {"resnet-adam": ResNet, "transformer-adam": Transformer}


def tiny_runs(name: str, data: Path, cache: Path) -> list[list[Arrays]]:
    """The runs of one of TINY, from the cache or trained now."""
    file = cache / f"tiny-{name}-{RUNS}x{EPOCHS}.npz"
    if not file.exists():
        cache.mkdir(parents=True, exist_ok=True)
        torch.set_num_threads(1)
        runs = [_train(TINY[name], seed, data) for seed in range(RUNS)]
        flat = {
            f"{i} {j} {key}": v for i, run in enumerate(runs) for j, point in enumerate(run) for key, v in point.items()
        }
        np.savez(file, **flat)
    kept_runs: list[list[Arrays]] = [[{} for _ in range(EPOCHS + 1)] for _ in range(RUNS)]
    with np.load(file) as kept:
        for key in kept.files:
            run, place, tensor = key.split(" ", 2)
            kept_runs[int(run)][int(place)][tensor] = kept[key]
    return kept_runs


def _train(build: Callable[[], nn.Module], seed: int, data: Path) -> list[Arrays]:
    torch.manual_seed(seed)
    images = load(data)
    x = torch.tensor(images.x_train[:IMAGES]).float()
    x, y = (x - x.mean()) / x.std(), torch.tensor(images.y_train[:IMAGES]).long()
    module = build()
    optimiser = torch.optim.AdamW(module.parameters(), lr=2e-3)
    points = [_arrays(module)]
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x)).split(BATCH):
            optimiser.zero_grad()
            nn.functional.cross_entropy(module(x[rows]), y[rows]).backward()
            optimiser.step()
        points.append(_arrays(module))
    return points


def _arrays(module: nn.Module) -> Arrays:
    return {name: value.numpy().copy() for name, value in module.state_dict().items() if value.is_floating_point()}
