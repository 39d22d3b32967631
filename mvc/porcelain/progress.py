"""How long work says where it is. Owns the type; shows nothing."""

from __future__ import annotations

from collections.abc import Callable

#: done, total (None while unknown), what
Report = Callable[[int, int | None, str], None]


def silent(done: int, total: int | None, what: str) -> None:
    """Reports to nobody."""
