"""A callback for Lightning's Trainer: commits the checkpoints that it saves.

    trainer = Trainer(..., callbacks=[RecorderCallback()])

Owns which saves are committed and what of the Trainer's state becomes declared facts. Works with ``lightning`` and with
``pytorch_lightning``, whichever was imported first.
"""

from __future__ import annotations

import importlib
import sys
from functools import wraps
from typing import Any

from mvc.integrations.loops.opening import Recording
from mvc.integrations.loops.recorder import PathLike

_NAMES = ("lightning.pytorch", "pytorch_lightning")


def _callback() -> Any:
    """The class that callbacks derive from, of the package that is in use."""
    for name in sorted(_NAMES, key=lambda name: name not in sys.modules):
        try:
            return importlib.import_module(name).Callback
        except ImportError:
            continue
    raise ImportError("neither lightning nor pytorch_lightning is installed; run: pip install lightning")


_Callback: Any = _callback()


class RecorderCallback(Recording, _Callback):  # type: ignore[misc]  # which of the two is known when it runs
    """Commits whatever `Trainer.save_checkpoint` writes while it fits, as `ModelCheckpoint` makes it do; one save of
    each step, as ``last.ckpt`` is a second one. Where the Trainer saves nothing itself, the module's state dict at the
    end of each epoch, unless the module is sharded. With each go the step, the epoch and the Trainer's
    ``callback_metrics``. Only the process of rank 0 commits.

    ``RecorderCallback(repository=".", *, run=None, **options)``: see `Recording`.
    """

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        if stage != "fit" or not trainer.is_global_zero or trainer.fast_dev_run:
            return
        self._restore(trainer)
        self._open(commits=True)
        save = trainer.save_checkpoint

        # there is no hook between the writing of a checkpoint and the deletion of the one before
        @wraps(save)
        def save_and_commit(filepath: PathLike, *args: Any, **kwargs: Any) -> None:
            save(filepath, *args, **kwargs)
            self._commit(trainer, filepath)

        trainer.save_checkpoint = save_and_commit

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        # where a module is sharded, all processes would have to ask for its state together
        whole = trainer.world_size == 1 or type(trainer.strategy).__name__ == "DDPStrategy"
        if self._recorder is not None and whole and not trainer.checkpoint_callbacks:
            self._commit(trainer, pl_module.state_dict())

    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        # not called after an error, when other callbacks may still save: then the end of the process closes
        self._restore(trainer)
        self._close()

    def _commit(self, trainer: Any, checkpoint: Any) -> None:
        if self._recorder is None or trainer.global_step == self._last:
            return
        self._last = trainer.global_step
        metrics = {"epoch": trainer.current_epoch, **trainer.callback_metrics}
        self._recorder.commit(checkpoint, step=trainer.global_step, metrics=metrics, keep=True)

    def _restore(self, trainer: Any) -> None:
        """The class's own `save_checkpoint` is there again."""
        vars(trainer).pop("save_checkpoint", None)
