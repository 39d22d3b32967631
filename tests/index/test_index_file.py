"""The index as a database: what is done about one that is missing, damaged, newer or written to at the moment."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, insert, inspect, select

from mvc.errors import BusyError, InputError, StorageError
from mvc.index import SCHEMAS, Index, IndexDamaged, SettingRow, Stamp, insert_rows, set_stamp
from mvc.index.migrations import upgrade
from mvc.index.tables import ALEMBIC, METADATA


@pytest.fixture
def index(tmp_path: Path) -> Index:
    found = Index(tmp_path / "index.sqlite")
    found.prepare()
    return found


def _schema(engine: Any) -> dict[str, Any]:
    """Everything that an inspector tells of a database, in an order of its own."""
    found = inspect(engine)
    return {
        table: {
            "columns": [(c["name"], str(c["type"]), c["nullable"]) for c in found.get_columns(table)],
            "primary": found.get_pk_constraint(table)["constrained_columns"],
            "unique": sorted(tuple(c["column_names"]) for c in found.get_unique_constraints(table)),
            "foreign": sorted(
                (f["constrained_columns"][0], f["referred_table"]) for f in found.get_foreign_keys(table)
            ),
            "indexes": sorted((i["name"], tuple(i["column_names"]), i["unique"]) for i in found.get_indexes(table)),
        }
        for table in sorted(found.get_table_names())
        if table != ALEMBIC.name
    }


def test_migrations_lead_to_the_schema_that_new_indexes_get() -> None:
    made, migrated = create_engine("sqlite://"), create_engine("sqlite://")
    METADATA.create_all(made)
    with migrated.begin() as connection:
        upgrade(connection)
        assert connection.execute(select(ALEMBIC.c.version_num)).scalar() == SCHEMAS[-1]
    assert _schema(migrated) == _schema(made)


def test_an_index_of_an_older_schema_is_upgraded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "index.sqlite"
    engine = create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        upgrade(connection)
    engine.dispose()
    calls = []
    monkeypatch.setattr("mvc.index.migrations.upgrade", calls.append)
    monkeypatch.setattr("mvc.index.database.SCHEMAS", (*SCHEMAS, "9999"))
    index = Index(file)
    assert index.stamp() is None
    index.prepare()
    assert len(calls) == 1


def test_a_new_index_has_no_stamp_until_it_is_set(index: Index) -> None:
    assert index.stamp() is None
    with index.writing() as connection:
        set_stamp(connection, Stamp("1", "abc"))
    assert index.stamp() == Stamp("1", "abc")


def test_a_missing_file_is_not_made_by_looking(tmp_path: Path) -> None:
    assert Index(tmp_path / "none.sqlite").stamp() is None
    assert list(tmp_path.iterdir()) == []


def test_a_newer_schema_is_refused(index: Index, tmp_path: Path) -> None:
    with index.writing() as connection:
        connection.execute(ALEMBIC.update().values(version_num="9999"))
    before = (tmp_path / "index.sqlite").stat().st_ino
    with pytest.raises(InputError, match="newer mvc") as caught:
        index.stamp()
    assert caught.value.code == "newer-index"
    assert (tmp_path / "index.sqlite").stat().st_ino == before


@pytest.mark.parametrize("damage", ["garbage", "zeros", "cut"])
def test_damage_is_seen_and_can_be_discarded(index: Index, tmp_path: Path, damage: str) -> None:
    file = tmp_path / "index.sqlite"
    with index.writing() as connection:
        insert_rows(connection, [SettingRow(f"key {i}", "x" * 500) for i in range(200)])
        set_stamp(connection, Stamp("1", ""))
    with sqlite3.connect(file) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    raw.close()
    content = file.read_bytes()
    broken = {"garbage": b"no database " * 400, "zeros": b"\0" * len(content), "cut": content[:5000]}[damage]
    file.write_bytes(broken)
    with pytest.raises(IndexDamaged), index.reading() as connection:
        SettingRow.select(connection)
    index.discard()
    assert index.stamp() is None
    index.prepare()
    with index.reading() as connection:
        assert SettingRow.select(connection) == []


def test_a_failed_transaction_leaves_nothing(index: Index) -> None:
    with pytest.raises(ZeroDivisionError), index.writing() as connection:
        insert_rows(connection, [SettingRow("a", "b")])
        raise ZeroDivisionError
    with index.reading() as connection:
        assert SettingRow.select(connection) == []


def test_making_the_tables_is_one_transaction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = Index(tmp_path / "index.sqlite")
    monkeypatch.setattr("mvc.index.database.SCHEMAS", (object(),))  # no database takes this for a text
    with pytest.raises(Exception, match="object"):
        index.prepare()
    raw = sqlite3.connect(tmp_path / "index.sqlite")
    assert raw.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    raw.close()


def test_readers_see_the_state_before_a_transaction_and_do_not_wait(index: Index, tmp_path: Path) -> None:
    with index.writing() as connection:
        insert_rows(connection, [SettingRow("a", "old")])
    with index.writing() as connection:
        connection.execute(SettingRow.TABLE.update().values(value="new"))
        with Index(tmp_path / "index.sqlite").reading() as other:
            assert [row.value for row in SettingRow.select(other)] == ["old"]


def test_two_writers_get_a_clear_error(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mvc.index.database.BUSY", 50)
    with index.writing(), pytest.raises(BusyError), Index(tmp_path / "index.sqlite").writing():
        pass


def test_a_place_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        Index(tmp_path / "no" / "such" / "index.sqlite").prepare()


def test_a_url_that_cannot_be_used_is_bad_input() -> None:
    with pytest.raises(InputError, match="url"):
        Index(None, "sqlite+nosuchdriver:///x")


@given(st.text(st.characters(codec=None)))
def test_any_text_comes_back(text: str) -> None:
    index = Index(None)
    index.prepare()
    with index.writing() as connection:
        connection.execute(insert(SettingRow.TABLE), {"key": text, "value": text})
    with index.reading() as connection:
        assert SettingRow.select(connection, SettingRow.TABLE.c.key == text) == [SettingRow(text, text)]
