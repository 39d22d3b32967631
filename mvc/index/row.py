"""What all rows of the index share: how they are read, written and spelled in their table. Computes nothing.

Look-ups by columns (`Row.find`, `Row.pick`) take either kind of reader: a `View`, which needs no SQLAlchemy, or a
connection. Whatever is asked in SQLAlchemy's own words, and all writing, takes a connection.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias

from mvc.index.view import Prefix, View, Wanted
from mvc.objects import ObjectId

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table
    from sqlalchemy.sql import ColumnElement

#: what look-ups take
Reader: TypeAlias = "Connection | View"

#: names in one IN (...), below every database's limit on parameters
CHUNK = 500


class _Table:
    """The SQLAlchemy table of a row's class, imported when it is asked for: that takes longer than most look-ups."""

    def __get__(self, _row: Row | None, kind: type[Row]) -> Table:
        table: Table = importlib.import_module("mvc.index.tables").METADATA.tables[kind.NAME]
        return table


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table ``NAME``. Columns in ``JSON`` hold JSON text, those in ``TEXT`` what people may write."""

    NAME: ClassVar[str]
    JSON: ClassVar[frozenset[str]] = frozenset()
    TEXT: ClassVar[frozenset[str]] = frozenset()
    TABLE = _Table()

    def columns(self) -> dict[str, Any]:
        return {
            item.name: _encode(getattr(self, item.name)) if item.name in self.JSON else getattr(self, item.name)
            for item in fields(self)
        }

    @classmethod
    def select(cls, connection: Connection, *where: ColumnElement[bool], order: Sequence[Any] = ()) -> list[Self]:
        """Rows that fit, in the order given, else by primary key."""
        table = cls.TABLE
        columns = [table.c[item.name] for item in fields(cls)]
        query = _sql().select(*columns).where(*where).order_by(*(order or table.primary_key.columns))
        return cls._made(connection.execute(query).all())

    @classmethod
    def find(
        cls,
        reader: Reader,
        *,
        ordered_by: Sequence[str] = (),
        most: int | None = None,
        **where: Wanted,
    ) -> list[Self]:
        """Rows whose columns have these values, or one of several, in the order of these columns; ``-`` before a column
        turns its order round. At most ``most`` of them."""
        names = [item.name for item in fields(cls)]
        return cls._made(cls.pick(reader, *names, ordered_by=ordered_by, most=most, **where))

    @classmethod
    def pick(
        cls,
        reader: Reader,
        *names: str,
        ordered_by: Sequence[str] = (),
        most: int | None = None,
        **where: Wanted,
    ) -> Sequence[Sequence[Any]]:
        """Some columns of the rows that `find` finds, as they stand in the table."""
        if isinstance(reader, View):
            return reader.fetch(cls.NAME, names, where, order=ordered_by, limit=most, spelled=cls.TEXT)
        column = cls.TABLE.c
        fits = [_fits(column[name], wanted) for name, wanted in where.items()]
        order = [column[name[1:]].desc() if name.startswith("-") else column[name] for name in ordered_by]
        query = _sql().select(*(column[name] for name in names)).where(*fits).order_by(*order).limit(most)
        return reader.execute(query).all()

    @classmethod
    def _made(cls, rows: Sequence[Sequence[Any]]) -> list[Self]:
        places = [place for place, item in enumerate(fields(cls)) if item.name in cls.JSON]
        if not places or not rows:
            return [cls(*row) for row in rows]
        columns = list(zip(*rows, strict=True))
        for place in places:
            columns[place] = tuple(decoded(columns[place]))
        return [cls(*row) for row in zip(*columns, strict=True)]

    @classmethod
    def clear(cls, connection: Connection, *where: ColumnElement[bool]) -> None:
        connection.execute(_sql().delete(cls.TABLE).where(*where))


def _fits(column: ColumnElement[Any], wanted: Wanted) -> ColumnElement[bool]:
    if isinstance(wanted, Prefix):
        first, after = wanted.span
        return (column >= first) & (column < after)
    return column == wanted if wanted is None or isinstance(wanted, str | int | float) else column.in_(wanted)


def insert_rows(connection: Connection, rows: Iterable[Row]) -> None:
    """Inserts rows of one kind."""
    found = list(rows)
    if found:
        connection.execute(_sql().insert(found[0].TABLE), [row.columns() for row in found])


def chunked(values: Iterable[ObjectId]) -> Iterator[list[ObjectId]]:
    """Distinct values, sorted, in pieces that fit into one statement."""
    ordered = sorted(set(values))
    for start in range(0, len(ordered), CHUNK):
        yield ordered[start : start + CHUNK]


def _sql() -> Any:
    return importlib.import_module("sqlalchemy")


def _encode(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def decoded(texts: Iterable[str]) -> list[Any]:
    """What a column of JSON text holds: parsed as one text, which is several times as fast as one by one."""
    found: list[Any] = json.loads(f"[{','.join(texts)}]")
    return found
