"""Tensors and facts as one string of bytes and back: safetensors with the facts as JSON. Owns the form of embedders and
of training states.

The same tensors and facts give the same bytes. Reading runs no code and believes nothing: whatever is not of this form
is a FormatError.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from mvc.errors import FormatError

#: the one key of the metadata: several would be written in no particular order
_KEY = "mvc"


def pack(tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> bytes:
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return bytes(save({name: one.detach().contiguous() for name, one in tensors.items()}, {_KEY: text}))


def unpack(raw: bytes, what: str, version: int) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and facts. Raises FormatError unless the facts say that this is ``what`` in that version."""
    try:
        tensors = load(raw)
        (length,) = struct.unpack("<Q", raw[:8])
        facts = json.loads(json.loads(raw[8 : 8 + length])["__metadata__"][_KEY])
    except (SafetensorError, ValueError, LookupError, TypeError, RecursionError, struct.error) as error:
        raise FormatError(f"these bytes are no {what}, or damaged ones") from error
    if not isinstance(facts, dict) or facts.get("kind") != what:
        raise FormatError(f"these bytes are no {what}")
    if facts.get("version") != version:
        raise FormatError(
            f"this {what} has format version {facts.get('version')!r:.20}, this mvc reads {version}",
            hint="read it with the mvc that wrote it, or train it again",
        )
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise FormatError(f"this {what} is damaged: {name!r} is not finite")
    return tensors, facts


def check(module: torch.nn.Module, tensors: Mapping[str, Tensor], what: str) -> None:
    """Raises FormatError unless these are the module's tensors by names, shapes and dtypes."""
    expected = {name: (one.shape, one.dtype) for name, one in module.state_dict().items()}
    found = {name: (one.shape, one.dtype) for name, one in tensors.items()}
    if expected != found:
        wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
        raise FormatError(f"this {what} is damaged: {', '.join(wrong[:3])} do not fit its recipe")
