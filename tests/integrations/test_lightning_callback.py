"""The callback for Lightning, with both packages that it is published as and a tiny model."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import mvc

pytestmark = pytest.mark.integrations

#: PACKAGE and TRAINER are put in; the latter makes a Trainer of `callbacks`
_TRAINING = """
import sys, torch, mvc
import PACKAGE as L
from mvc.integrations.lightning import RecorderCallback

class Line(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 1))
    def training_step(self, batch, number):
        loss = ((self.net(batch) - batch.sum(1, keepdim=True)) ** 2).mean()
        self.log("loss", loss)
        return loss
    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 1e-2)

if __name__ == "__main__":
    L.seed_everything(0)
    recorder = RecorderCallback(run="line")
    fixed = dict(max_epochs=4, logger=False, enable_progress_bar=False, enable_model_summary=False, accelerator="cpu")
    trainer = TRAINER
    loader = torch.utils.data.DataLoader(torch.randn(64, 8), batch_size=8, num_workers=WORKERS)
    AROUND
"""
_FIT = 'trainer.fit(Line(), loader); assert "save_checkpoint" not in vars(trainer)'
_SAVES = (
    'L.Trainer(callbacks=[recorder, L.callbacks.ModelCheckpoint("saved", monitor="loss", save_last=True)], **fixed)'
)


def train(
    place: Path, trainer: str, *, package: str = "lightning.pytorch", around: str = _FIT, workers: int = 0
) -> str:
    pytest.importorskip(package)
    code = _TRAINING.replace("PACKAGE", package).replace("TRAINER", trainer).replace("AROUND", around)
    (place / "train.py").write_text(code.replace("WORKERS", str(workers)))
    env = {**os.environ, "PYTHONPATH": str(Path(mvc.__file__).parents[1])}
    done = subprocess.run([sys.executable, "train.py"], cwd=place, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.fixture
def repo(tmp_path: Path) -> mvc.Repository:
    return mvc.Repository.init(tmp_path)


def told(repo: mvc.Repository) -> list[tuple[Any, str]]:
    (lineage,) = repo.log()
    assert lineage.name == "line"
    return [(commit.step, commit.path) for commit in lineage.commits]


@pytest.mark.parametrize("package", ["lightning.pytorch", "pytorch_lightning"])
def test_what_is_saved_is_committed_though_all_but_the_best_is_deleted(
    package: str, repo: mvc.Repository, tmp_path: Path
) -> None:
    stderr = train(tmp_path, _SAVES, package=package, workers=1)
    assert told(repo) == [(8 * (n + 1), f"saved/epoch={n}-step={8 * (n + 1)}.ckpt") for n in range(4)]
    facts = repo.show("HEAD").facts
    assert facts["metrics"]["epoch"] == 3 and facts["metrics"]["loss"] > 0
    assert "not committed" not in stderr


def test_where_the_trainer_saves_nothing_the_state_of_each_epoch_is(repo: mvc.Repository, tmp_path: Path) -> None:
    train(tmp_path, "L.Trainer(callbacks=[recorder], enable_checkpointing=False, **fixed)")
    assert told(repo) == [(step, f"line/step-{step}.safetensors") for step in (8, 16, 24, 32)]


def test_a_training_that_is_interrupted_keeps_what_it_saved(repo: mvc.Repository, tmp_path: Path) -> None:
    fails = """
class Fails(L.Callback):
    def on_train_epoch_start(self, trainer, module):
        if trainer.current_epoch == 2:
            raise FloatingPointError("the training's own")
trainer.callbacks.append(Fails())
try:
    trainer.fit(Line(), loader)
except FloatingPointError:
    pass
""".replace("\n", "\n    ")
    train(tmp_path, _SAVES, around=fails)
    steps = [step for step, _ in told(repo)]
    assert steps[:2] == [8, 16] and len(steps) <= 3  # the newest Lightnings save once more on an error
