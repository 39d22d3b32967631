"""An optimiser that started anew, told from the state that checkpoints themselves carry."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from mvc.porcelain.check import check
from mvc.porcelain.commits import commit
from mvc.porcelain.workspace import Workspace

Optimiser = Callable[[nn.Module], torch.optim.Optimizer]
KINDS: list[Optimiser] = [
    lambda net: torch.optim.AdamW(net.parameters(), lr=0.01),
    lambda net: torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9),
]


class Run:
    """A small regression that saves a checkpoint as training scripts do."""

    def __init__(self, kind: Optimiser, directory: Path) -> None:
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(12, 16), nn.Tanh(), nn.Linear(16, 4))
        self.kind, self.directory = kind, directory
        self.optimiser = kind(self.net)
        self.x, self.y = torch.randn(64, 12), torch.randn(64, 4)
        self.step = 0

    def interval(self, *, updates: int = 20) -> None:
        for _ in range(updates):
            self.optimiser.zero_grad()
            nn.functional.mse_loss(self.net(self.x), self.y).backward()
            self.optimiser.step()
        self.step += updates

    def save(self, *, weights_only: bool = False) -> Path:
        path = self.directory / f"step-{self.step}.pt"
        state = {"model": self.net.state_dict(), "step": self.step}
        torch.save(state if weights_only else state | {"optimizer": self.optimiser.state_dict()}, path)
        return path


def found(workspace: Workspace, path: Path) -> list[str]:
    return [row.message for row in check(workspace, [str(path)]).findings if row.rule == "MVC012"]


@pytest.mark.parametrize("kind", KINDS, ids=["adamw", "sgd"])
def test_a_reset_is_found_and_a_resumed_run_is_let_be(workspace: Workspace, tmp_path: Path, kind: Optimiser) -> None:
    run = Run(kind, tmp_path)
    for _ in range(5):
        run.interval()
        commit(workspace, [run.save()])
    run.interval()
    assert found(workspace, run.save()) == []
    run.optimiser = kind(run.net)
    if kind is KINDS[0]:
        run.interval(updates=7)
        assert found(workspace, run.save()) == [
            "the optimiser's step counter is 7 and was 100 in the checkpoint before"
        ]
    else:
        for parameter in run.net.parameters():
            run.optimiser.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
        (message,) = found(workspace, run.save())
        assert "4 moments of the optimiser are zero" in message


def test_files_without_the_state_say_nothing(workspace: Workspace, tmp_path: Path) -> None:
    run = Run(KINDS[0], tmp_path)
    for _ in range(3):
        run.interval()
        commit(workspace, [run.save()])
    run.optimiser = KINDS[0](run.net)
    run.interval()
    assert found(workspace, run.save(weights_only=True)) == []
