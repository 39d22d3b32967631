"""SQL as values: tables, conditions, statements. Owns how they are spelled; runs none of them.

The words are SQLAlchemy's, of which this is the small part that the index needs: importing SQLAlchemy takes longer than
most commands take as a whole. Names are always quoted, values always parameters, marked ``?``.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Type:
    """``name`` in SQL. ``odd``: text that may hold what databases refuse (see `AnyText`)."""

    name: str
    odd: bool = False
    references: str = ""


Text, Integer, BigInteger, Float, LargeBinary = map(Type, ("TEXT", "INTEGER", "BIGINT", "FLOAT", "BLOB"))
#: text that may hold NUL, and the lone surrogates that stand for bytes of odd file names
AnyText = Type("TEXT", odd=True)


def String(length: int) -> Type:
    return Type(f"VARCHAR({length})")


def ForeignKey(target: str) -> Type:
    """The type of an id that is ``table.column``'s."""
    return Type("VARCHAR(64)", references=target)


class Expression:
    """A piece of SQL with its values, and the tables that it is about. ``odd`` as of its type."""

    __hash__ = object.__hash__

    def __init__(self, sql: str, values: tuple[Any, ...] = (), tables: tuple[str, ...] = (), odd: bool = False) -> None:
        self.sql, self.values, self.tables, self.odd = sql, values, tables, odd

    def _with(self, operator: str, other: object) -> Expression:
        if other is None:
            return Expression(f"{self.sql} {'IS' if operator == '=' else 'IS NOT'} NULL", self.values, self.tables)
        if isinstance(other, Expression):
            values, tables = (*self.values, *other.values), (*self.tables, *other.tables)
            return Expression(f"{self.sql} {operator} {other.sql}", values, tables)
        return Expression(f"{self.sql} {operator} ?", (*self.values, self._bound(other)), self.tables)

    def _bound(self, value: Any) -> Any:
        return bound(value) if self.odd else value

    def __eq__(self, other: object) -> Expression:  # type: ignore[override]
        return self._with("=", other)

    def __ne__(self, other: object) -> Expression:  # type: ignore[override]
        return self._with("!=", other)

    def is_(self, other: None) -> Expression:
        return self._with("=", other)

    def is_not(self, other: None) -> Expression:
        return self._with("!=", other)

    def startswith(self, beginning: str) -> Expression:
        """Of plain text alone; no wildcards may be in it."""
        return self._with("LIKE", f"{beginning}%")

    def in_(self, others: Select | Collection[Any]) -> Expression:
        return self._among("IN", others)

    def not_in(self, others: Select | Collection[Any]) -> Expression:
        return self._among("NOT IN", others)

    def _among(self, operator: str, others: Select | Collection[Any]) -> Expression:
        if isinstance(others, Select):
            sql, values = others.compiled
        else:
            sql, values = ", ".join("?" * len(others)), tuple(map(self._bound, others))
        return Expression(f"{self.sql} {operator} ({sql})", (*self.values, *values), self.tables)

    def desc(self) -> Expression:
        return Expression(f"{self.sql} DESC", self.values, self.tables)


def or_(*parts: Expression) -> Expression:
    values, tables = _gathered(parts)
    return Expression(f"({' OR '.join(part.sql for part in parts)})", values, tables)


class func:
    """Aggregates."""

    @staticmethod
    def count() -> Expression:
        return Expression("count(*)")

    @staticmethod
    def max(of: Expression) -> Expression:
        return Expression(f"max({of.sql})", of.values, of.tables)


def bound(value: str | None) -> str | None:
    """Any text as databases take it."""
    if value is None:
        return None
    plain = value[:1] != '"' and "\0" not in value and value.isprintable()
    return value if plain else json.dumps(value)


def unbound(value: str | None) -> str | None:
    """What `bound` was given."""
    return json.loads(value) if value is not None and value[:1] == '"' else value


def quoted(name: str) -> str:
    return f'"{name}"'


@dataclass(frozen=True, slots=True)
class Column:
    """A column as its table declares it."""

    name: str
    type: Type
    primary_key: bool = False
    nullable: bool = True
    index: bool = False
    unique: bool = False


@dataclass(frozen=True, slots=True)
class Index:
    name: str
    column: str


class Columns:
    """Expressions of a table's columns, as attributes."""

    def __init__(self, made: Mapping[str, Expression]) -> None:
        self.__dict__.update(made)

    def __getattr__(self, name: str) -> Expression:
        raise AttributeError(f"there is no column {name!r}")


class Table:
    """A table of ``metadata``. Expressions of its columns are in ``c``, those of its key in ``key``."""

    def __init__(self, name: str, metadata: dict[str, Table], *parts: Column | Index) -> None:
        self.name = name
        self.columns = [part for part in parts if isinstance(part, Column)]
        self._indexes = [part for part in parts if isinstance(part, Index)]
        self._named(name)
        metadata[name] = self

    def _named(self, alias: str) -> None:
        self.source = quoted(self.name) if alias == self.name else f"{quoted(self.name)} AS {quoted(alias)}"
        made = {
            item.name: Expression(f"{quoted(alias)}.{quoted(item.name)}", (), (self.source,), item.type.odd)
            for item in self.columns
        }
        self.c = Columns(made)
        self.key = [made[item.name] for item in self.columns if item.primary_key]

    def alias(self, name: str) -> Table:
        """The same table under another name, for a query that asks it twice."""
        other = Table(self.name, {}, *self.columns)
        other._named(name)
        return other

    def outerjoin(self, other: Table, on: Expression) -> str:
        return f"{self.source} LEFT OUTER JOIN {other.source} ON {on.sql}"

    def definition(self) -> list[str]:
        """Statements that make the table."""
        lines, after = [], []
        for item in self.columns:
            null = "" if item.nullable and not item.primary_key else " NOT NULL"
            lines.append(f"{quoted(item.name)} {item.type.name}{null}")
            if item.unique:
                after.append(f"UNIQUE ({quoted(item.name)})")
            if item.type.references:
                table, column = map(quoted, item.type.references.split("."))
                after.append(f"FOREIGN KEY({quoted(item.name)}) REFERENCES {table} ({column})")
        key = ", ".join(quoted(item.name) for item in self.columns if item.primary_key)
        made = [f"CREATE TABLE {self.source} ({', '.join([*lines, f'PRIMARY KEY ({key})', *after])})"]
        indexes = [Index(f"ix_{self.name}_{item.name}", item.name) for item in self.columns if item.index]
        for one in (*indexes, *self._indexes):
            made.append(f"CREATE INDEX {quoted(one.name)} ON {self.source} ({quoted(one.column)})")
        return made


Compiled = tuple[str, tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Select:
    """A query; its tables are those of what it selects and compares, unless ``source`` says otherwise."""

    columns: tuple[Expression, ...]
    conditions: tuple[Expression, ...] = ()
    order: tuple[Expression, ...] = ()
    most: int | None = None
    unique: bool = False
    source: str = ""

    def where(self, *conditions: Expression) -> Select:
        return replace(self, conditions=(*self.conditions, *conditions))

    def order_by(self, *order: Expression) -> Select:
        return replace(self, order=(*self.order, *order))

    def limit(self, most: int) -> Select:
        return replace(self, most=most)

    def distinct(self) -> Select:
        return replace(self, unique=True)

    def select_from(self, source: Table | str) -> Select:
        return replace(self, source=source if isinstance(source, str) else source.source)

    @property
    def compiled(self) -> Compiled:
        parts = (*self.columns, *self.conditions, *self.order)
        values, tables = _gathered(parts)
        source = self.source or ", ".join(dict.fromkeys(tables))
        sql = f"SELECT {'DISTINCT ' * self.unique}{', '.join(part.sql for part in self.columns)} FROM {source}"
        sql += _where(self.conditions)
        if self.order:
            sql += f" ORDER BY {', '.join(part.sql for part in self.order)}"
        return sql + (f" LIMIT {self.most}" if self.most is not None else ""), values


@dataclass(frozen=True, slots=True)
class Change:
    """An update of the rows that meet all conditions; a deletion where there is nothing ``new``."""

    table: Table
    new: Mapping[str, Any] = field(default_factory=dict)
    conditions: tuple[Expression, ...] = ()

    def where(self, *conditions: Expression) -> Change:
        return replace(self, conditions=(*self.conditions, *conditions))

    def values(self, **new: Any) -> Change:
        return replace(self, new=new)

    @property
    def compiled(self) -> Compiled:
        values, _ = _gathered(self.conditions)
        where = _where(self.conditions)
        if not self.new:
            return f"DELETE FROM {self.table.source}{where}", values
        pairs = ", ".join(f"{quoted(name)} = ?" for name in self.new)
        new = tuple(getattr(self.table.c, name)._bound(value) for name, value in self.new.items())
        return f"UPDATE {self.table.source} SET {pairs}{where}", (*new, *values)


def select(*columns: Expression) -> Select:
    return Select(columns)


def update(table: Table) -> Change:
    return Change(table)


def delete(table: Table) -> Change:
    return Change(table)


def _where(conditions: tuple[Expression, ...]) -> str:
    return f" WHERE {' AND '.join(part.sql for part in conditions)}" if conditions else ""


def _gathered(parts: Collection[Expression]) -> tuple[tuple[Any, ...], tuple[str, ...]]:
    values = tuple(value for part in parts for value in part.values)
    return values, tuple(table for part in parts for table in part.tables)
