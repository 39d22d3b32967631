"""The index as a database: opening, transactions, its stamp. Owns what is done about a missing, damaged or newer one.

SQLite in the repository's own directory, or any other database by URL. Everything in it can be built again from the
repository, so a damaged file is thrown away; one that a newer mvc wrote is left alone. Whoever writes holds the
repository's lock; readers take none and see the state before or after a transaction.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mvc.errors import BusyError, InputError, IntegrityError, MvcError, StorageError
from mvc.index.engines import Connection, DatabaseError, Engine, by_url, sqlite
from mvc.index.sql import delete, select
from mvc.index.tables import ALEMBIC, META, METADATA

#: revisions of the schema that this mvc knows, oldest first; each is a module of ``mvc.index.versions``
SCHEMAS = ("0001", "0002", "0003", "0004", "0005")


class IndexDamaged(IntegrityError):
    """The index cannot be read. Nothing is lost: it is built again from the repository."""

    code = "index-damaged"


@dataclass(frozen=True, slots=True)
class Stamp:
    """What an index reflects: the engine that inferred, and the newest operation ('' for none)."""

    engine: str
    operation: str


class Index:
    """One repository's index. ``file`` is SQLite's, None for one in memory; ``url`` names another database."""

    def __init__(self, file: Path | None, url: str = "") -> None:
        self._file = None if url else file
        self._owned = not url
        self._url = url or f"sqlite:///{file or ''}"
        self._engine: Engine = by_url(url) if url else sqlite(":memory:" if file is None else str(file))

    def stamp(self) -> Stamp | None:
        """What the index reflects; None where there is none yet, or one of an older schema.

        Raises InputError for an index of a newer schema, IndexDamaged for one that cannot be read.
        """
        if self._file is not None and not self._file.exists():
            return None
        with self.reading() as connection:
            schema = self._schema(connection)
            if schema != SCHEMAS[-1]:
                return None
            values = {str(key): str(value) for key, value in connection.execute(select(META.c.key, META.c.value))}
        if not {"engine", "operation"} <= values.keys():
            return None
        return Stamp(values["engine"], values["operation"])

    def prepare(self) -> None:
        """Makes the tables, or brings those of an older schema up to date. Needs the repository's lock."""
        if self._file is not None:
            with _translated(), self._engine.connected() as connection:
                connection.run("PRAGMA journal_mode=WAL")
        with self.writing() as connection:
            schema = self._schema(connection)
            if schema is None:
                self._engine.create(connection, METADATA.values())
                connection.insert(ALEMBIC, [(SCHEMAS[-1],)])
        if schema not in (None, SCHEMAS[-1]):
            # alembic is slow to import and all but never needed
            importlib.import_module("mvc.index.migrations").upgrade(self._url)

    def copy(self) -> Index:
        """One in memory that holds what this one holds, as far as that can be read without ado; else an empty one."""
        copied = Index(None)
        if self._file is not None and self._file.exists():
            with contextlib.suppress(DatabaseError), self._engine.connected() as source:
                source.copy_to(copied._engine.connect())
        return copied

    def discard(self) -> None:
        """Throws the index away. Needs the repository's lock. Raises IndexDamaged for a database that is not ours."""
        if not self._owned:
            with self.writing() as connection:
                for name in reversed(METADATA):
                    connection.run(f"DROP TABLE IF EXISTS {name}")
        elif self._file is not None:
            for suffix in ("", "-wal", "-shm", "-journal"):
                try:
                    self._file.with_name(self._file.name + suffix).unlink(missing_ok=True)
                except OSError as error:
                    raise StorageError(f"the index cannot be removed: {error.strerror}") from None

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent view. Raises IndexDamaged, BusyError, StorageError."""
        with _translated(), self._engine.transaction(writes=False) as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction: all of it or, with an error, nothing. Raises as `reading`."""
        with _translated(), self._engine.transaction(writes=True) as connection:
            yield connection

    def dump(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every table's rows, sorted by primary key: equal dumps are equal indexes."""
        with self.reading() as connection:
            return {
                name: list(connection.execute(select(*vars(table.c).values()).order_by(*table.key)))
                for name, table in sorted(METADATA.items())
            }

    def _schema(self, connection: Connection) -> str | None:
        """Revision of the schema; None where there are no tables. Raises InputError for a newer one."""
        if not self._engine.has_table(connection, ALEMBIC):
            return None
        revision: str | None = connection.execute(select(ALEMBIC.c.version_num)).scalar()
        if revision is not None and revision not in SCHEMAS:
            raise InputError(
                f"the index was written by a newer mvc (schema {revision}; this one knows {SCHEMAS[-1]})",
                hint="upgrade mvc, or build the index again for this version with: mvc reindex",
                code="newer-index",
            )
        return revision


def set_stamp(connection: Connection, stamp: Stamp) -> None:
    """Says what the index reflects once the transaction is done."""
    connection.execute(delete(META))
    connection.insert(META, [("engine", stamp.engine), ("operation", stamp.operation)])


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Raises the database's errors as mvc's."""
    try:
        yield
    except DatabaseError as error:
        raise _translate(error) from error


def _translate(error: DatabaseError) -> MvcError:
    text = str(error)
    if type(error.__cause__).__name__ == "OperationalError":
        if "locked" in text or "busy" in text:
            return BusyError("the index is being written by another process", hint="wait until it has finished")
        if any(words in text for words in ("unable to open", "readonly", "disk", "full", "connect")):
            return StorageError(f"the index cannot be used: {text}", hint="check the disk that holds .mvc/index")
    return IndexDamaged(f"the index cannot be read: {text}", hint="run: mvc reindex")
