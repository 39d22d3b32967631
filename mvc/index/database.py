"""The index as a database: opening, transactions, its stamp. Owns what is done about a missing, damaged or newer one.

SQLite in the repository's own directory, or any other database by URL. Everything in it can be built again from the
repository, so a damaged file is thrown away; one that a newer mvc wrote is left alone. Whoever writes holds the
repository's lock; readers take none and see the state before or after a transaction.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, delete, event, insert, inspect, select
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import NullPool, StaticPool

from mvc.errors import BusyError, InputError, MvcError, StorageError
from mvc.index.tables import ALEMBIC, META, METADATA
from mvc.index.view import BUSY, SCHEMAS, IndexDamaged, Stamp


class Index:
    """One repository's index. ``file`` is SQLite's, None for one in memory; ``url`` names another database."""

    def __init__(self, file: Path | None, url: str = "") -> None:
        self._file = None if url else file
        self._owned = not url
        self._engine = _engine(url or ("sqlite://" if file is None else f"sqlite:///{file}"), in_memory=file is None)
        #: while `kept`: the connection, once there is one, and the stamp as it was read last
        self._keeping = False
        self._connection: Connection | None = None
        self._stamp: Stamp | None = None

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Within, one connection serves one transaction after another, and the stamp is what it was: for who holds the
        repository's lock. To open one takes as long as a few questions."""
        outer, self._keeping = self._keeping, True
        try:
            yield
        finally:
            self._keeping = outer
            if not outer:
                self._let_go()

    def stamp(self) -> Stamp | None:
        """What the index reflects; None where there is none yet, or one of an older schema.

        Raises InputError for an index of a newer schema, IndexDamaged for one that cannot be read.
        """
        if self._file is not None and not os.path.exists(self._file):
            return None
        if self._stamp is not None:
            return self._stamp
        with self.reading() as connection:
            schema = _schema(connection)
            if schema != SCHEMAS[-1]:
                return None
            values = {str(key): str(value) for key, value in connection.execute(select(META.c.key, META.c.value))}
        if not {"engine", "operation"} <= values.keys():
            return None
        found = Stamp(values["engine"], values["operation"])
        self._stamp = found if self._keeping else None
        return found

    def prepare(self) -> None:
        """Makes the tables, or brings those of an older schema up to date. Needs the repository's lock."""
        with _translated():
            if self._engine.dialect.name == "sqlite" and self._file is not None:
                with contextlib.closing(sqlite3.connect(self._file)) as raw:
                    raw.execute("PRAGMA journal_mode=WAL")
        with self.writing() as connection:
            schema = _schema(connection)
            if schema is None:
                METADATA.create_all(connection)
                connection.execute(insert(ALEMBIC), {"version_num": SCHEMAS[-1]})
            elif schema != SCHEMAS[-1]:
                # alembic is slow to import and all but never needed
                importlib.import_module("mvc.index.migrations").upgrade(connection)

    def copy(self) -> Index:
        """One in memory that holds what this one holds, as far as that can be read without ado; else an empty one."""
        copied = Index(None)
        if self._file is not None and os.path.exists(self._file):
            with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(self._file)) as source:
                raw = copied._engine.raw_connection()
                with contextlib.closing(raw):
                    source.backup(raw.driver_connection)  # type: ignore[arg-type]
        return copied

    def discard(self) -> None:
        """Throws the index away. Needs the repository's lock. Raises IndexDamaged for a database that is not ours."""
        self._let_go()
        self._engine.dispose()
        if not self._owned:
            with self.writing() as connection:
                METADATA.drop_all(connection)
        elif self._file is not None:
            for suffix in ("", "-wal", "-shm", "-journal"):
                try:
                    self._file.with_name(self._file.name + suffix).unlink(missing_ok=True)
                except OSError as error:
                    raise StorageError(f"the index cannot be removed: {error.strerror}") from None

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent view. Raises IndexDamaged, BusyError, StorageError."""
        with _translated(), self._connected(writes=False) as connection, connection.begin():
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction: all of it or, with an error, nothing. Raises as `reading`."""
        self._stamp = None
        with _translated(), self._connected(writes=True) as connection, connection.begin():
            yield connection

    @contextlib.contextmanager
    def _connected(self, *, writes: bool) -> Iterator[Connection]:
        if self._connection is None or self._connection.in_transaction():
            opened = self._engine.connect()
            if not self._keeping or self._connection is not None:
                with opened:
                    yield opened.execution_options(mvc_writes=writes)
                return
            self._connection = opened
        yield self._connection.execution_options(mvc_writes=writes)

    def _let_go(self) -> None:
        self._stamp = None
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def dump(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every table's rows, sorted by primary key: equal dumps are equal indexes."""
        with self.reading() as connection:
            return {
                name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key.columns))]
                for name, table in sorted(METADATA.tables.items())
            }


def set_stamp(connection: Connection, stamp: Stamp) -> None:
    """Says what the index reflects once the transaction is done."""
    connection.execute(delete(META))
    connection.execute(
        insert(META),
        [{"key": "engine", "value": stamp.engine}, {"key": "operation", "value": stamp.operation}],
    )


def _schema(connection: Connection) -> str | None:
    """Revision of the schema; None where there are no tables. Raises InputError for a newer one."""
    if not inspect(connection).has_table(ALEMBIC.name):
        return None
    revision = connection.execute(select(ALEMBIC.c.version_num)).scalar()
    if revision is not None and revision not in SCHEMAS:
        raise InputError(
            f"the index was written by a newer mvc (schema {revision}; this one knows {SCHEMAS[-1]})",
            hint="upgrade mvc, or build the index again for this version with: mvc reindex",
            code="newer-index",
        )
    return revision


def _engine(url: str, *, in_memory: bool) -> Engine:
    try:
        engine = create_engine(url, poolclass=StaticPool if in_memory and url == "sqlite://" else NullPool)
    except Exception as error:  # SQLAlchemy and drivers raise what they like for a URL
        message = f"the index's url cannot be used: {error}"
        raise InputError(message, hint="correct [index] in .mvc/config.toml") from None
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _on_connect)
        event.listen(engine, "begin", _on_begin)
    return engine


def _on_connect(connection: Any, _record: object) -> None:
    # Python's sqlite3 would begin and end transactions by itself, and tables would not be part of them
    connection.isolation_level = None
    for pragma in (f"busy_timeout={BUSY}", "foreign_keys=ON", "synchronous=NORMAL"):
        connection.execute(f"PRAGMA {pragma}")


def _on_begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("mvc_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Raises the database's errors as mvc's."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        raise _translate(error) from error
    except UnicodeDecodeError as error:  # of what SQLite says where the text of its own schema is damaged
        raise IndexDamaged("the index cannot be read: it holds what is no text", hint="run: mvc reindex") from error


def _translate(error: DBAPIError | sqlite3.Error) -> MvcError:
    original = error.orig if isinstance(error, DBAPIError) else error
    text = str(original)
    if isinstance(error, OperationalError | sqlite3.OperationalError):
        if "locked" in text or "busy" in text:
            return BusyError("the index is being written by another process", hint="wait until it has finished")
        if any(words in text for words in ("unable to open", "readonly", "disk", "full", "connect")):
            return StorageError(f"the index cannot be used: {text}", hint="check the disk that holds .mvc/index")
    return IndexDamaged(f"the index cannot be read: {text}", hint="run: mvc reindex")
