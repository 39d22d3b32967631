"""Any result as plain JSON-able data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any


def to_json(value: Any, schema: str | None = None) -> Any:
    """JSON-able form of a result; with ``schema`` (as "log"), an object that names its schema, ``mvc.log/v1``."""
    head = {} if schema is None else {"schema": f"mvc.{schema}/v1"}
    if is_dataclass(value) and not isinstance(value, type):
        return head | {item.name: to_json(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return head | {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    return value
