"""Any result as plain JSON-able data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

#: what is plain already
_PLAIN = frozenset({str, int, float, bool, type(None)})


def to_json(value: Any, schema: str | None = None) -> Any:
    """JSON-able form of a result; with ``schema`` (as "log"), an object that names its schema, ``mvc.log/v1``."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    head = {} if schema is None else {"schema": f"mvc.{schema}/v1"}
    if is_dataclass(kind):
        return head | {name: to_json(getattr(value, name)) for name in _names(kind)}
    if isinstance(value, Mapping):
        return head | {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    return value


@cache
def _names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(item.name for item in fields(kind))
