"""A callback for Hugging Face's Trainer: commits the checkpoint directories that it writes.

    trainer = Trainer(..., callbacks=[RecorderCallback()])

Owns what of the Trainer's state becomes declared facts. Works for what derives from Trainer, such as TRL's trainers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from mvc.integrations.loops.opening import Recording


class RecorderCallback(Recording, TrainerCallback):  # type: ignore[misc]  # transformers is not looked into
    """Commits each checkpoint after it was saved, with the step and what was logged since the one before. The run's
    name is ``run``, or the arguments' ``run_name`` where you gave one. Only the process of rank 0 commits.

    ``RecorderCallback(repository=".", *, run=None, **options)``: see `Recording`.
    """

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._open(commits=state.is_world_process_zero, run=args.run_name)
        self._last = state.global_step  # of a training that goes on, what was logged is known

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if self._recorder is None:
            return
        path = Path(str(args.output_dir), f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}")
        if not path.exists():  # a search of hyperparameters gives each trial a directory
            path = next(iter(path.parent.glob(f"*/{path.name}")), path)
        logged: dict[str, Any] = {}
        for entry in state.log_history:
            if entry.get("step", -1) > self._last:
                logged |= entry
        logged.pop("step", None)
        limited = args.save_total_limit is not None
        self._recorder.commit(path, step=state.global_step, metrics=logged, keep=limited)
        self._last = state.global_step

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._close()
