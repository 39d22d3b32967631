"""State dicts that are handed over without a file. Owns writing them down before training changes them."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mvc.errors import InputError


def write_state(state: Mapping[str, Any], path: Path) -> None:
    """Writes tensors (torch or NumPy) as safetensors. When it returns training may go on changing them; until then one
    copy of all is in memory. Tied tensors are written once for each name.

    Raises InputError for what is no tensor, OSError where the disk refuses.
    """
    if not state:
        raise InputError("the state dict is empty", hint="hand over model.state_dict()")
    kinds = {name: type(value).__module__.partition(".")[0] for name, value in state.items()}
    if set(kinds.values()) == {"numpy"}:
        arrays = {name: importlib.import_module("numpy").ascontiguousarray(value) for name, value in state.items()}
        importlib.import_module("safetensors.numpy").save_file(arrays, str(path))
        return
    torch = importlib.import_module("torch")
    odd = next((name for name, value in state.items() if not isinstance(value, torch.Tensor)), None)
    if odd is not None:
        raise InputError(
            f"{odd!r} in the state dict is a {type(state[odd]).__name__}, no tensor",
            hint="hand over model.state_dict(), or save all with torch.save and hand over the path",
            code="bad-state",
        )
    tensors, seen = {}, set()
    for name, value in state.items():
        tensor = value.detach().cpu().contiguous()
        place = tensor.untyped_storage().data_ptr()
        tensors[name] = tensor.clone() if place in seen else tensor
        seen.add(place)
    importlib.import_module("safetensors.torch").save_file(tensors, str(path))
