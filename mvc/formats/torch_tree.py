"""Which of a torch file's tensors are the model, and what they are called. Owns the walk over a dead object tree.

The model is, in this order: ``state_dict``, ``model_state_dict``, ``model_state``, ``model`` (or the state dict inside
it), ``module``, ``net``, ``network``, and, where the top level has no tensors of its own, ``weights``, ``params``,
``ema``; else the top level itself without what its keys call optimizer, scheduler, scaler or random state. Its tensors
are weights, named relative to it; all others keep their full dotted path. A pickled module is named as its state dict
would be. Refuses trees deeper than MAX_DEPTH and dictionaries with equal keys.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mvc.errors import FormatError
from mvc.formats.inert import Dict, Record
from mvc.formats.names import check_name, make_unique
from mvc.formats.source import printable
from mvc.formats.torch_values import TensorRef, pairs_of, sparse_parts, tensor_of
from mvc.objects import Role

MAX_DEPTH = 400

_MODELS = ("state_dict", "model_state_dict", "model_state", "model", "module", "net", "network")
_WEAK_MODELS = ("weights", "params", "ema")
_INNER = ("state_dict", "model_state_dict")
_OPTIMIZER = re.compile(r"optimizer|(^|_)optims?($|_)|opt_state", re.IGNORECASE)
_RANDOM_STATE = re.compile(r"rng_state|random_state", re.IGNORECASE)
_BESIDE_MODEL = re.compile(r"sched|scaler|rng|random|callback|loops|hyper|config|args", re.IGNORECASE)
#: what nn.Module keeps its own things under; a state dict's names do not have them
_MODULE_PARTS = ("_parameters", "_buffers", "_modules")


@dataclass(frozen=True, slots=True)
class FoundTensor:
    """A tensor of the tree, named."""

    name: str
    role: Role
    ref: TensorRef


def collect_tensors(root: Any, role: Role | None = None) -> list[FoundTensor]:
    """Every tensor of a tree once per name, weights first. With ``role`` all have it, under their full paths."""
    seen: set[int] = set()
    found: list[FoundTensor] = []
    if role is not None:
        found += _walk(root, role, seen)
    else:
        model = _find_model(root)
        if model is None:
            found += _walk(root, "weight", seen, top_level=True)
        else:
            found += _walk(model, "weight", seen)
            found += _walk(root, "other", seen)
    found.sort(key=lambda tensor: tensor.role != "weight")  # stable
    names = make_unique(tensor.name for tensor in found)
    return [FoundTensor(name, tensor.role, tensor.ref) for name, tensor in zip(names, found, strict=True)]


def facts_of(root: Any) -> dict[str, float]:
    """{"step": …} from the top level's ``global_step`` or ``step``, else its ``epoch``."""
    named = {key: value for key, value in pairs_of(root) or () if isinstance(key, str)}
    for key in ("global_step", "step", "epoch"):
        value = named.get(key)
        if (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and abs(value) < 1 << 53
            and math.isfinite(value)
        ):
            return {"step": float(value)}
    return {}


def _find_model(root: Any) -> Any:
    pairs = pairs_of(root)
    if pairs is None:
        return None
    named = {key: value for key, value in pairs if isinstance(key, str)}
    has_own = any(tensor_of(value) is not None for _, value in pairs if isinstance(value, Record))
    for key in _MODELS if has_own else (*_MODELS, *_WEAK_MODELS):
        model = named.get(key)
        if not _is_container(model) or not _has_tensors(model):
            continue
        inner = {key: value for key, value in pairs_of(model) or () if isinstance(key, str)}
        for name in _INNER:
            if _is_container(inner.get(name)) and _has_tensors(inner[name]):
                return inner[name]
        return model
    return None


def _has_tensors(node: Any) -> bool:
    return next(iter(_walk(node, "other", set())), None) is not None


def _walk(root: Any, role: Role, seen: set[int], top_level: bool = False) -> Iterator[FoundTensor]:
    """Depth first, in the tree's order. A container is entered once, so that shared and circular trees end."""
    stack: list[tuple[Any, str, Role, int]] = [(root, "", role, 0)]
    while stack:
        node, path, role, depth = stack.pop()
        ref = tensor_of(node)
        if ref is not None:
            yield FoundTensor(check_name(path or "tensor"), role, ref)
            continue
        if id(node) in seen:
            continue
        seen.add(id(node))
        if depth > MAX_DEPTH:
            raise FormatError(
                "a pickle is nested too deeply", hint=f"up to {MAX_DEPTH} levels are read; save a flat state dict"
            )
        if (role != "weight" or top_level) and _is_optimizer(node):
            role = "optimizer"
        sorting = role == "other" or (top_level and depth == 0)
        children = []
        for key, child in _children(node):
            child_role = _role_of(key, child, role) if sorting else role
            children.append((child, f"{path}.{key}" if path and key else path or key, child_role, depth + 1))
        stack.extend(reversed(children))


def _role_of(key: str, child: Any, role: Role) -> Role:
    """The role of what stands under a key beside the model or where the model may be."""
    if role == "weight" and tensor_of(child) is not None:
        # in a flat state dict a tensor's name is the model's own, whatever words are in it
        return "other" if _RANDOM_STATE.search(key) else role
    if _OPTIMIZER.search(key):
        return "optimizer"
    return "other" if _BESIDE_MODEL.search(key) else role


def _is_optimizer(node: Any) -> bool:
    """torch.optim's state dict: {"state": …, "param_groups": …}."""
    keys = {key for key, _ in pairs_of(node) or () if isinstance(key, str)}
    return {"state", "param_groups"} <= keys


def _is_container(node: Any) -> bool:
    return isinstance(node, Dict | Record | list | tuple)


def _children(node: Any) -> list[tuple[str, Any]]:
    """Named children that may hold tensors."""
    pairs = pairs_of(node)
    if pairs is not None:
        state = _state_children(node.state) if isinstance(node, Record) else []
        return [*_named(pairs), *state]
    if not isinstance(node, Record):
        return _parts(node)
    sparse = sparse_parts(node)
    if sparse is not None:
        return sparse
    args = _parts(node.args)
    return [*args, *_named(node.pairs), *_parts(node.items), *_state_children(node.state)]


def _parts(node: Any) -> list[tuple[str, Any]]:
    """A sequence's containers by number; anything else as itself, nameless. Never recurses: depth is the file's."""
    if isinstance(node, list | tuple):
        return [(str(index), item) for index, item in enumerate(node) if _is_container(item)]
    return [("", node)] if _is_container(node) else []


def _state_children(state: Any) -> list[tuple[str, Any]]:
    """Attributes of an object, those of a module as its state dict names them."""
    pairs = pairs_of(state)
    if pairs is None:
        # (attributes, slots), or whatever a class of its own thought of
        return [("", part) for _, part in _parts(state)]
    named = {key: value for key, value in pairs if isinstance(key, str)}
    if not all(part in named for part in _MODULE_PARTS):
        return _named(pairs)
    own = [child for part in _MODULE_PARTS for child in _named(pairs_of(named[part]) or ())]
    return [*own, *_named([(key, value) for key, value in pairs if key not in _MODULE_PARTS])]


def _named(pairs: Sequence[tuple[Any, Any]]) -> list[tuple[str, Any]]:
    seen: set[str] = set()
    children = []
    for index, (key, child) in enumerate(pairs):
        if isinstance(key, str):
            if key in seen:
                raise FormatError(
                    f"a dictionary has the key {printable(key)} twice", hint="the file is damaged or hostile"
                )
            seen.add(key)
        if _is_container(child):
            children.append((_key_text(key, index), child))
    return children


def _key_text(key: Any, index: int) -> str:
    if isinstance(key, str):
        return key
    if key is None or isinstance(key, bool | float):
        return str(key)
    if isinstance(key, int) and abs(key) < 1 << 64:
        return str(key)
    return f"[{index}]"
