"""Whether what was decoded from JSON is of the types that it should be. Owns the predicates; knows no meanings."""

from __future__ import annotations

from collections.abc import Callable

Check = Callable[[object], bool]

_LIMIT = 1 << 62


def text(value: object) -> bool:
    return isinstance(value, str)


def whole(value: object) -> bool:
    """A number to count with, and no bool: from 0 to what databases and files can count to."""
    return type(value) is int and 0 <= value < _LIMIT


def number(value: object) -> bool:
    return type(value) is float or (type(value) is int and abs(value) < _LIMIT)


def or_none(check: Check) -> Check:
    return lambda value: value is None or check(value)


def each(check: Check) -> Check:
    """A list of such values."""
    return lambda value: isinstance(value, list) and all(map(check, value))


def named(check: Check) -> Check:
    """An object of such values."""
    return lambda value: isinstance(value, dict) and all(map(check, value.values()))


def fields(value: object, expected: dict[str, Check]) -> None:
    """Raises ValueError unless ``value`` is an object with exactly these fields, each as it should be."""
    if not isinstance(value, dict) or value.keys() != expected.keys():
        raise ValueError("other fields than it should have")
    for name, check in expected.items():
        if not check(value[name]):
            raise ValueError(f"{name} is not what it should be")
