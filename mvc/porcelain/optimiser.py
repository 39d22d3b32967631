"""The optimiser's state that some checkpoints carry, beside that of the checkpoint before. Owns the reading of it.

Of large tensors only zeros are looked for, and only where no counter tells more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from mvc.drift import RuleFinding
from mvc.drift.optimiser import COUNTER, MOMENTS, counters_reset, moments_reset
from mvc.formats import CheckpointFile, OpenedCheckpoint
from mvc.objects import Checkpoint, ObjectId, as_array
from mvc.porcelain.case import Case
from mvc.repository import Repository, StoredCheckpoint

Read = Callable[[], npt.NDArray[Any]]
#: checkpoints before the judged one whose counters are read
_PAST = 2


def optimiser(case: Case) -> Iterator[RuleFinding]:
    """MVC012 for a case whose file has the optimiser's state, as the one before it has; nothing for all others."""
    history = case.history
    if not case.past or case.past_models[-1].objects == case.model.objects:
        return
    repository = history.workspace.repository
    state = _state(repository, case.checkpoint)
    if not state:
        return
    past = [_state(repository, history.checkpoint(commit.id)) for commit in case.past[-_PAST:]]
    now, before = _counters(state), [_counters(one) for one in past]
    found = counters_reset(before, now)
    if found is None and not now:
        found = moments_reset(_moments(past[-1]), _moments(state))
    if found is not None:
        yield found


def _state(repository: Repository, checkpoint: Checkpoint) -> Mapping[str, Read]:
    """Tensors of the optimiser's state by file and name."""
    if isinstance(checkpoint, StoredCheckpoint):
        files = checkpoint.manifest.files
        entries = ((file.path, entry) for file in files for entry in file.tensors if entry.role == "optimizer")
        return {f"{path}:{entry.name}": partial(_stored, repository, entry.object) for path, entry in entries}
    if isinstance(checkpoint, OpenedCheckpoint):
        return {
            f"{path}:{tensor.name}": partial(_opened, file, index)
            for path, file in checkpoint.files
            for index, tensor in enumerate(file.tensors)
            if tensor.role == "optimizer"
        }
    return {}


def _stored(repository: Repository, tensor: ObjectId) -> npt.NDArray[Any]:
    return as_array(*repository.tensor(tensor))


def _opened(file: CheckpointFile, index: int) -> npt.NDArray[Any]:
    return as_array(file.tensors[index].spec, file.read(index))


def _counters(state: Mapping[str, Read]) -> dict[str, float]:
    values = {name: read() for name, read in state.items() if name.rsplit(".", 1)[-1] == COUNTER}
    return {name: float(value.reshape(-1)[0]) for name, value in values.items() if value.size == 1}


def _moments(state: Mapping[str, Read]) -> dict[str, bool]:
    return {name: bool(np.any(read())) for name, read in state.items() if name.rsplit(".", 1)[-1] in MOMENTS}
