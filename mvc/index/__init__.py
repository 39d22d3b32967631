"""The rebuildable SQL view of commits, and home of every inference.

What needs SQLAlchemy is imported when it is first asked for: commands that only look something up never do.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from mvc.deferred import Deferred
from mvc.index.row import Reader, Row, chunked, insert_rows
from mvc.index.rows import (
    ArchitectureRow,
    CommitRow,
    DistanceRow,
    FileRow,
    FlagRow,
    ForestRow,
    InferenceRow,
    LatentRow,
    LineageRow,
    MetaRow,
    MixtureRow,
    OverlapRow,
    PlacementRow,
    PointRow,
    SettingRow,
    SignatureRow,
    StepRow,
    TagRow,
    UnitRow,
    WalkRow,
)
from mvc.index.soundness import check_sound
from mvc.index.view import SCHEMAS, IndexDamaged, Prefix, Stamp, View, viewing

if TYPE_CHECKING:
    from sqlalchemy import Connection, func, or_, select, update
    from sqlalchemy.exc import SQLAlchemyError as DatabaseError
    from sqlalchemy.sql import ColumnElement as Expression

    from mvc.index.database import Index, set_stamp
else:
    Connection, func, or_, select, update = (
        Deferred("sqlalchemy", name) for name in ("Connection", "func", "or_", "select", "update")
    )

__all__ = [
    "SCHEMAS",
    "ArchitectureRow",
    "CommitRow",
    "Connection",
    "DatabaseError",
    "DistanceRow",
    "Expression",
    "FileRow",
    "FlagRow",
    "ForestRow",
    "Index",
    "IndexDamaged",
    "InferenceRow",
    "LatentRow",
    "LineageRow",
    "MetaRow",
    "MixtureRow",
    "OverlapRow",
    "PlacementRow",
    "PointRow",
    "Prefix",
    "Reader",
    "Row",
    "SettingRow",
    "SignatureRow",
    "Stamp",
    "StepRow",
    "TagRow",
    "UnitRow",
    "View",
    "WalkRow",
    "check_sound",
    "chunked",
    "func",
    "insert_rows",
    "or_",
    "select",
    "set_stamp",
    "update",
    "viewing",
]

#: what takes SQLAlchemy → where it is, and what it is called there
_HEAVY = {
    "DatabaseError": ("sqlalchemy.exc", "SQLAlchemyError"),
    "Expression": ("sqlalchemy.sql", "ColumnElement"),
    **{name: ("mvc.index.database", name) for name in ("Index", "set_stamp")},
}


def __getattr__(name: str) -> Any:
    if name not in _HEAVY:
        raise AttributeError(f"module 'mvc.index' has no attribute {name!r}")
    module, original = _HEAVY[name]
    globals()[name] = value = getattr(importlib.import_module(module), original)
    return value
