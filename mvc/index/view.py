"""The SQLite index as it stands, for look-ups by columns. Owns reading it without SQLAlchemy, whose import takes longer
than any of these look-ups; refuses to judge: whatever is unusual about an index is for `mvc.index.database`.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from mvc.errors import IntegrityError

#: revisions of the schema that this mvc knows, oldest first; each is a module of ``mvc.index.versions``
SCHEMAS = ("0001", "0002", "0003", "0004", "0005")
#: milliseconds that SQLite waits for another connection
BUSY = 10_000


class IndexDamaged(IntegrityError):
    """The index cannot be read. Nothing is lost: it is built again from the repository."""

    code = "index-damaged"


Value: TypeAlias = str | int | float | None


@dataclass(frozen=True, slots=True)
class Prefix:
    """What hexadecimal ids begin with."""

    digits: str

    @property
    def span(self) -> tuple[str, str]:
        """The first id that begins so, and one that comes after the last."""
        return self.digits, self.digits + "g"


#: what a column is to be: a value, one of several, an id that begins so
Wanted: TypeAlias = Value | Prefix | Collection[Value]


@dataclass(frozen=True, slots=True)
class Stamp:
    """What an index reflects: the engine that inferred, and the newest operation ('' for none)."""

    engine: str
    operation: str


class View:
    """One consistent view of an SQLite index."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def stamp(self) -> Stamp | None:
        """What the index reflects; None for one that is not of this mvc's schema."""
        if self._connection.execute("SELECT version_num FROM alembic_version").fetchone() != (SCHEMAS[-1],):
            return None
        values = dict(self._connection.execute("SELECT key, value FROM meta"))
        return Stamp(values["engine"], values["operation"]) if {"engine", "operation"} <= values.keys() else None

    def pragma(self, name: str) -> tuple[object, ...] | None:
        """The first row of what SQLite says of itself."""
        found: tuple[object, ...] | None = self._connection.execute(f"PRAGMA {name}").fetchone()
        return found

    def fetch(
        self,
        table: str,
        columns: Sequence[str],
        where: Mapping[str, Wanted],
        *,
        order: Sequence[str] = (),
        limit: int | None = None,
        spelled: Collection[str] = (),
    ) -> Sequence[Sequence[Any]]:
        """These columns of a table's rows whose columns have these values, or one of several, as `mvc.index.row` has
        it; those named in ``spelled`` hold spelled text. Names are mvc's own, values are bound."""
        fits: list[str] = []
        bound: list[Value] = []
        for name, wanted in where.items():
            if isinstance(wanted, Prefix):
                fits.append(f"{_quoted(name)} >= ? AND {_quoted(name)} < ?")
                bound += wanted.span
                continue
            single = wanted is None or isinstance(wanted, str | int | float)
            values: list[Value] = [wanted] if single else list(wanted)  # type: ignore[list-item, arg-type]
            bound += [spell(value) for value in values] if name in spelled else values
            fits.append(f"{_quoted(name)} IS ?" if single else f"{_quoted(name)} IN ({', '.join('?' * len(values))})")
        query = f"SELECT {', '.join(map(_quoted, columns))} FROM {_quoted(table)}"
        if fits:
            query += f" WHERE {' AND '.join(fits)}"
        if order:
            query += f" ORDER BY {', '.join(_direction(name) for name in order)}"
        if limit is not None:
            query += f" LIMIT {limit:d}"
        rows = self._connection.execute(query, bound).fetchall()
        places = [place for place, name in enumerate(columns) if name in spelled]
        if any((row[place] or "")[:1] == '"' for place in places for row in rows):
            return [[unspell(value) if place in places else value for place, value in enumerate(row)] for row in rows]
        return rows


@contextlib.contextmanager
def viewing(file: Path) -> Iterator[View]:
    """The index in a file that exists. Raises sqlite3.Error for whatever it is that makes it unreadable now."""
    uri = f"{file.absolute().as_uri()}?mode=rw"  # else a file that was just removed would be made anew
    with contextlib.closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA busy_timeout={BUSY}")
        connection.execute("BEGIN")
        yield View(connection)


def spell(value: Value) -> Value:
    """Text as the index's tables hold it. Databases refuse NUL, and the lone surrogates that stand for bytes of odd
    file names: such text is JSON there."""
    if not isinstance(value, str) or (value[:1] != '"' and "\0" not in value and value.isprintable()):
        return value
    return json.dumps(value)


def unspell(text: str | None) -> str | None:
    """The text that `spell` spelled so."""
    found: str | None = json.loads(text) if text is not None and text[:1] == '"' else text
    return found


def _quoted(name: str) -> str:
    return f'"{name}"'


def _direction(name: str) -> str:
    return f'"{name[1:]}" DESC' if name.startswith("-") else f'"{name}"'
