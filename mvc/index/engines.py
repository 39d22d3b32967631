"""Databases that an index may lie in: SQLite, or PostgreSQL by URL. Owns connecting, transactions and parameters."""

from __future__ import annotations

import contextlib
import importlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mvc.errors import InputError
from mvc.index.sql import Change, Select, Table, bound, quoted, unbound

#: milliseconds that SQLite waits for another connection
_BUSY = 10_000
_DRIVERS = ("psycopg", "psycopg2")


class DatabaseError(Exception):
    """What a database said, in its ``__cause__``; `Index` tells what it means."""


class Result:
    """Rows of a query, read."""

    def __init__(self, rows: Sequence[tuple[Any, ...]]) -> None:
        self._rows = rows

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self._rows)

    def first(self) -> tuple[Any, ...] | None:
        return self._rows[0] if self._rows else None

    def scalar(self) -> Any:
        """The first value of the first row, None where there is none."""
        return self._rows[0][0] if self._rows else None


class Connection:
    """A connection within a transaction. ``mark`` stands for a parameter. Raises DatabaseError."""

    def __init__(self, raw: Any, error: type[Exception], mark: str) -> None:
        self._raw, self._error, self._mark = raw, error, mark

    def execute(self, statement: Select | Change) -> Result:
        sql, values = statement.compiled
        rows = self.run(sql, values)
        if isinstance(statement, Select) and (odd := [i for i, column in enumerate(statement.columns) if column.odd]):
            rows = [tuple(unbound(value) if i in odd else value for i, value in enumerate(row)) for row in rows]
        return Result(rows)

    def insert(self, table: Table, rows: Iterable[Sequence[Any]]) -> None:
        """Rows with a value for each column, in the table's order."""
        marks = ", ".join("?" * len(table.columns))
        names = ", ".join(quoted(column.name) for column in table.columns)
        odd = [i for i, column in enumerate(table.columns) if column.type.odd]
        sql = f"INSERT INTO {table.source} ({names}) VALUES ({marks})"
        values = [list(row) for row in rows]
        for row in values:
            for i in odd:
                row[i] = bound(row[i])
        with self._translated():
            self._raw.cursor().executemany(sql.replace("?", self._mark), values)

    def run(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Runs one statement, for which ``?`` marks parameters."""
        with self._translated():
            cursor = self._raw.cursor()
            cursor.execute(sql.replace("?", self._mark), values)
            return cursor.fetchall() if cursor.description else []

    def copy_to(self, other: sqlite3.Connection) -> None:
        """All that an SQLite database holds, into another one."""
        with self._translated():
            self._raw.backup(other)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except self._error as error:
            raise DatabaseError(str(error)) from error


@dataclass(frozen=True)
class Engine:
    """A database. ``begin`` starts a transaction that writes, ``types`` are names that differ from SQLite's."""

    connect: Callable[[], Any]
    error: type[Exception]
    tables: str
    begin: str = "BEGIN"
    mark: str = "?"
    types: Mapping[str, str] | None = None
    shared: bool = False

    @contextlib.contextmanager
    def connected(self) -> Iterator[Connection]:
        """A connection without a transaction."""
        try:
            raw = self.connect()
        except self.error as error:
            raise DatabaseError(str(error)) from error
        try:
            yield Connection(raw, self.error, self.mark)
        finally:
            if not self.shared:
                raw.close()

    @contextlib.contextmanager
    def transaction(self, *, writes: bool) -> Iterator[Connection]:
        """One transaction, undone where an error leaves it."""
        with self.connected() as connection:
            connection.run(self.begin if writes else "BEGIN")
            try:
                yield connection
            except BaseException:
                with contextlib.suppress(DatabaseError):
                    connection.run("ROLLBACK")
                raise
            connection.run("COMMIT")

    def has_table(self, connection: Connection, table: Table) -> bool:
        return bool(connection.run(self.tables, (table.name,)))

    def create(self, connection: Connection, tables: Iterable[Table]) -> None:
        for table in tables:
            for sql in table.definition():
                for ours, theirs in (self.types or {}).items():
                    sql = sql.replace(f" {ours}", f" {theirs}")
                connection.run(sql)


def sqlite(file: str) -> Engine:
    """A file, or ":memory:"."""
    in_memory = file == ":memory:"
    kept = None if not in_memory else _connect_sqlite(file)
    tables = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
    connect = (lambda: _connect_sqlite(file)) if kept is None else (lambda: kept)
    return Engine(connect, sqlite3.Error, tables, begin="BEGIN IMMEDIATE", shared=in_memory)


def _connect_sqlite(file: str) -> sqlite3.Connection:
    # Python's sqlite3 would begin and end transactions by itself, and tables would not be part of them
    raw = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    try:
        for pragma in (f"busy_timeout={_BUSY}", "foreign_keys=ON", "synchronous=NORMAL"):
            raw.execute(f"PRAGMA {pragma}")
    except BaseException:
        raw.close()
        raise
    return raw


def by_url(url: str) -> Engine:
    """Raises InputError for a URL that cannot be used."""
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite" and rest.startswith("/"):
        return sqlite(str(Path(rest[1:])) if rest[1:] else ":memory:")
    if scheme.partition("+")[0] != "postgresql":
        hint = "correct [index] in .mvc/config.toml"
        raise InputError(f"the index's url cannot be used: {scheme!r} is no database that mvc knows", hint=hint)
    for name in _DRIVERS:
        try:
            driver = importlib.import_module(name)
        except ImportError:
            continue
        return _postgresql(driver, f"postgresql://{rest}")
    raise InputError("the index's url needs a driver for PostgreSQL", hint="install one with: pip install psycopg")


def _postgresql(driver: Any, url: str) -> Engine:
    def connect() -> Any:
        raw = driver.connect(url)
        raw.autocommit = True
        return raw

    tables = "SELECT 1 FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = ?"
    return Engine(connect, driver.Error, tables, mark="%s", types={"BLOB": "BYTEA", "FLOAT": "DOUBLE PRECISION"})
