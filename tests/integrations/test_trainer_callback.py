"""The callback for Hugging Face's Trainer, with the real one and a tiny model."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest

import mvc
from mvc.errors import NotFoundError

pytestmark = pytest.mark.integrations
torch = pytest.importorskip("torch")


def trainer(place: Path, *callbacks: Any, **told: Any) -> Any:
    """A GPT-2 of 30,000 weights, 20 steps, a save at every 4th."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    sizes = {"vocab_size": 64, "n_positions": 32, "n_embd": 32, "n_layer": 2, "n_head": 2}
    model = transformers.GPT2LMHeadModel(transformers.GPT2Config(**sizes, bos_token_id=0, eos_token_id=0))
    data = [{"input_ids": tokens, "labels": tokens} for tokens in torch.randint(0, 64, (64, 16))]
    options = {"max_steps": 20, "save_steps": 4, "logging_steps": 2, "per_device_train_batch_size": 8} | told
    fixed = {"output_dir": str(place / "out"), "report_to": "none", "use_cpu": True, "disable_tqdm": True}
    args = transformers.TrainingArguments(**fixed, **options)
    return transformers.Trainer(model=model, args=args, train_dataset=data, callbacks=list(callbacks))


@pytest.fixture
def repo(tmp_path: Path) -> mvc.Repository:
    return mvc.Repository.init(tmp_path)


def callback(*args: Any, **options: Any) -> Any:
    return pytest.importorskip("mvc.integrations.transformers").RecorderCallback(*args, **options)


def test_every_checkpoint_is_kept_though_the_trainer_keeps_one(repo: mvc.Repository, tmp_path: Path) -> None:
    own = callback(tmp_path)
    trainer(tmp_path, own, save_total_limit=1, run_name="tiny").train()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["checkpoint-20"]
    (lineage,) = repo.log()
    assert lineage.name == "tiny"
    assert [(commit.step, commit.path) for commit in lineage.commits] == [
        (step, f"out/checkpoint-{step}") for step in (4, 8, 12, 16, 20)
    ]
    shown = repo.show("HEAD")
    assert {"loss", "learning_rate", "epoch"} <= shown.facts["metrics"].keys()
    assert {"model.safetensors", "optimizer.pt", "trainer_state.json"} <= {file["path"] for file in shown.files}
    assert not own.recorder.failures and not [*(tmp_path / ".mvc" / "scratch").rglob("*")]
    assert copy.deepcopy(own).recorder is None and pickle.loads(pickle.dumps(own)).recorder is None


def test_a_training_that_fails_keeps_what_it_saved_and_its_own_error(repo: mvc.Repository, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")

    class Fails(transformers.TrainerCallback):  # type: ignore[name-defined,misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step == 10:
                raise FloatingPointError("the training's own")

    own = callback(tmp_path)
    with pytest.raises(FloatingPointError):
        trainer(tmp_path, own, Fails()).train()
    assert own.recorder.flush()
    assert [commit.step for lineage in repo.log() for commit in lineage.commits] == [4, 8]
    own.recorder.close()


def test_a_repository_that_is_lost_does_not_stop_the_training(
    repo: mvc.Repository, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own = callback(tmp_path)
    (tmp_path / ".mvc" / "format").write_text("99\n")
    result = trainer(tmp_path, own).train()
    assert result.global_step == 20 and own.recorder is None
    assert "nothing is committed" in caplog.text


def test_only_rank_0_commits(repo: mvc.Repository, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    own, args, control = callback(tmp_path), trainer(tmp_path).args, transformers.TrainerControl()
    state = transformers.TrainerState(is_world_process_zero=False)
    own.on_train_begin(args, state, control)
    own.on_save(args, state, control)
    own.on_train_end(args, state, control)
    assert own.recorder is None


def test_a_mistake_is_known_before_the_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(NotFoundError):
        callback(tmp_path / "nowhere")
    monkeypatch.setenv("RANK", "3")
    callback(tmp_path / "nowhere")  # on another machine
