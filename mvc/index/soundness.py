"""Whether an index can be read, all of it. Owns the look at everything, for who found something odd in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvc.index.row import Reader
from mvc.index.rows import ROWS
from mvc.index.view import IndexDamaged, View

if TYPE_CHECKING:
    from sqlalchemy import Connection

#: what SQLite finds out about its file → what it says where that is well
_CHECKS = {"integrity_check": ("ok",), "foreign_key_check": None}


def check_sound(reader: Reader) -> None:
    """Raises IndexDamaged, or what the database raises, unless everything is there and is what its columns hold."""
    for check, well in _CHECKS.items():
        found = reader.pragma(check) if isinstance(reader, View) else _pragma(reader, check)
        if found != well:
            raise IndexDamaged(f"the index is damaged: {found}", hint="run: mvc reindex")
    for row in ROWS:
        row.find(reader)


def _pragma(connection: Connection, name: str) -> tuple[object, ...] | None:
    if connection.dialect.name != "sqlite":
        return _CHECKS[name]
    found = connection.exec_driver_sql(f"PRAGMA {name}").first()
    return None if found is None else tuple(found)
