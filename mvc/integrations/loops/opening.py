"""What the callbacks of trainers have in common. Owns when a recorder is made: a callback is made in every process of a
distributed training, and copied into others; a recorder belongs to one, and to one training.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from mvc.errors import MvcError
from mvc.integrations.loops.recorder import PathLike, Recorder
from mvc.repository import Repository as Store

#: what launchers (torchrun, srun, Lightning) set; a process of rank 0 has 0 in all
_RANKS = ("RANK", "SLURM_PROCID", "NODE_RANK")


class Recording:
    """Has a recorder while its trainer trains.

    ``run`` declares the run's name; ``options`` are those of `mvc.Recorder`. Raises what opening the repository raises,
    in the process of rank 0: a mistake is to be known before the training, and other machines need not have the
    repository.
    """

    def __init__(self, repository: PathLike = ".", *, run: str | None = None, **options: Any) -> None:
        super().__init__()
        if all(os.environ.get(name, "0") == "0" for name in _RANKS):
            Store.discover(Path(repository))
        self._repository, self._run, self._options = repository, run, options
        self._recorder: Recorder | None = None
        #: the step of the newest checkpoint that was committed
        self._last = -1

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_recorder": None}

    @property
    def recorder(self) -> Recorder | None:
        """The recorder of this training or the last one; None before, and in processes that do not commit."""
        return self._recorder

    def _open(self, *, commits: bool, run: str | None = None) -> None:
        """A training begins, in a process that ``commits`` or not. Where the repository cannot be opened any more
        nothing is committed, with a warning."""
        self._close()  # of a training that ended in an error
        self._recorder, self._last = None, -1
        try:
            if commits:
                self._recorder = Recorder(self._repository, run=self._run or run, **self._options)
        except MvcError as error:
            logging.getLogger("mvc").warning("mvc: nothing is committed: %s", error.message)

    def _close(self) -> None:
        if self._recorder is not None:
            self._recorder.close()
