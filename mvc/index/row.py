"""What all rows of the index share: how they are read, written and spelled in their table. Computes nothing.

Look-ups by columns (`Row.find`, `Row.pick`) take either kind of reader: a `View`, which needs no SQLAlchemy, or a
connection. Whatever is asked in SQLAlchemy's own words, and all writing, takes a connection.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType, NoneType
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias

from mvc.index.view import IndexDamaged, Prefix, View, Wanted
from mvc.objects import ObjectId

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table
    from sqlalchemy.sql import ColumnElement

#: what look-ups take
Reader: TypeAlias = "Connection | View"

#: what values are, by how a field is annotated
_KINDS: Mapping[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (float, int),
    "bytes": (bytes,),
    "str": (str,),
    "ObjectId": (str,),
    "Sequence": (list,),
    "Mapping": (dict,),
}

#: names in one IN (...), below every database's limit on parameters
CHUNK = 500


class _Table:
    """The SQLAlchemy table of a row's class, imported when it is asked for: that takes longer than most look-ups."""

    def __get__(self, _row: Row | None, kind: type[Row]) -> Table:
        table: Table = importlib.import_module("mvc.index.tables").METADATA.tables[kind.NAME]
        return table


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table ``NAME``. Columns in ``JSON`` hold JSON text, those in ``TEXT`` what people may write;
    ``WIDTHS`` are how many bytes a number has in columns of arrays. What is read is what a column holds, or
    IndexDamaged: SQLite believes whatever it finds in its file."""

    NAME: ClassVar[str]
    JSON: ClassVar[frozenset[str]] = frozenset()
    TEXT: ClassVar[frozenset[str]] = frozenset()
    WIDTHS: ClassVar[Mapping[str, int]] = MappingProxyType({})
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
        return cls._made(cls._checked([column.name for column in columns], connection.execute(query).all()))

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
            rows = reader.fetch(cls.NAME, names, where, order=ordered_by, limit=most, spelled=cls.TEXT)
            return cls._checked(names, rows)
        column = cls.TABLE.c
        fits = [_fits(column[name], wanted) for name, wanted in where.items()]
        order = [column[name[1:]].desc() if name.startswith("-") else column[name] for name in ordered_by]
        query = _sql().select(*(column[name] for name in names)).where(*fits).order_by(*order).limit(most)
        return cls._checked(names, reader.execute(query).all())

    @classmethod
    def _checked(cls, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Sequence[Sequence[Any]]:
        """The same rows of these columns, if that is what they are."""
        kinds = {item.name: str(item.type) for item in fields(cls)}
        for place, name in enumerate(names if rows else ()):
            cls._check(name, "str" if name in cls.JSON else kinds[name], [row[place] for row in rows])
            if (width := cls.WIDTHS.get(name)) and any(len(row[place]) % width for row in rows):
                raise _damaged(cls.NAME, name)
        return rows

    @classmethod
    def _check(cls, name: str, annotation: str, values: Sequence[Any]) -> None:
        kind, _, null = annotation.partition(" | ")
        allowed = _KINDS[kind.partition("[")[0]]
        if not set(map(type, values)).issubset((*allowed, NoneType) if null else allowed):
            raise _damaged(cls.NAME, name)

    @classmethod
    def _made(cls, rows: Sequence[Sequence[Any]]) -> list[Self]:
        coded = [(place, item.name, str(item.type)) for place, item in enumerate(fields(cls)) if item.name in cls.JSON]
        if not coded or not rows:
            return [cls(*row) for row in rows]
        columns = list(zip(*rows, strict=True))
        for place, name, annotation in coded:
            try:
                columns[place] = tuple(decoded(columns[place]))
            except (ValueError, RecursionError):
                raise _damaged(cls.NAME, name) from None
            cls._check(name, annotation, columns[place])
        if len({*map(len, columns)}) > 1:  # JSON texts that say something only together
            raise _damaged(cls.NAME, coded[0][1])
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


def _damaged(table: str, column: str) -> IndexDamaged:
    return IndexDamaged(f"the index cannot be read: column {column} of {table} is damaged", hint="run: mvc reindex")


def _encode(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def decoded(texts: Iterable[str]) -> list[Any]:
    """What a column of JSON text holds: parsed as one text, which is several times as fast as one by one."""
    found: list[Any] = json.loads(f"[{','.join(texts)}]")
    return found
