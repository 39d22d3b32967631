"""Looking something up without SQLAlchemy finds what SQLAlchemy finds."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import String

import mvc.index
from mvc.index import Index, LineageRow, Prefix, Row, SettingRow, Stamp, insert_rows, set_stamp, viewing
from mvc.index.tables import METADATA, AnyText
from mvc.index.view import Wanted
from mvc.objects import ObjectId

KINDS = sorted(Row.__subclasses__(), key=lambda kind: kind.__name__)
_IDS = [ObjectId(digit * 64) for digit in "0123456789abcdef"]
_ROOT = LineageRow(_IDS[0], "a", "f", "n", "given", 0.5, "weights", None, None, None)


@pytest.fixture
def index(tmp_path: Path) -> Index:
    made = Index(tmp_path / "index.sqlite")
    made.prepare()
    return made


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_rows_say_which_columns_hold_text_of_people(kind: type[Row]) -> None:
    columns = METADATA.tables[kind.NAME].columns
    assert {column.name for column in columns if isinstance(column.type, AnyText)} == kind.TEXT
    assert all(isinstance(columns[name].type, String) for name in kind.JSON)
    assert {table.name for table in METADATA.sorted_tables} == {one.NAME for one in KINDS} | {"meta", "alembic_version"}


TEXTS = st.text(max_size=4) | st.sampled_from(['"', '"a"', "\0", "\udcff", "a\nb"])


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    st.dictionaries(st.text(max_size=4) | st.sampled_from(['"', '"a"', "\0", "\udcff", "a\nb"]), st.text(), max_size=8)
)
def test_any_text_is_found_as_it_was_written(index: Index, tmp_path: Path, told: dict[str, str]) -> None:
    with index.writing() as connection:
        SettingRow.clear(connection)
        insert_rows(connection, [SettingRow(key, value) for key, value in told.items()])
    with viewing(tmp_path / "index.sqlite") as view, index.reading() as connection:
        assert {row.key: row.value for row in SettingRow.find(view)} == told
        for key in told:
            assert (
                SettingRow.find(view, key=key) == SettingRow.find(connection, key=key) == [SettingRow(key, told[key])]
            )
        assert {row.key for row in SettingRow.find(view, key=[*told, "x" * 9])} == told.keys()


@pytest.mark.parametrize(
    ("ordered_by", "most", "where", "number"),
    [
        (("id",), None, {}, 16),
        (("-id",), 3, {}, 3),
        (("architecture", "-id"), None, {}, 16),
        (("id",), None, {"architecture": "a1"}, 8),
        (("id",), None, {"architecture": "a1", "fork_commit": None}, 3),
        (("id",), None, {"fork_commit": _IDS[0]}, 10),
        (("id",), None, {"fork_confidence": 0.25}, 1),
        (("id",), None, {"id": [_IDS[3], _IDS[5], "nothing"]}, 2),
        (("id",), None, {"id": []}, 0),
        (("id",), 1, {"id": Prefix("3" * 64)}, 1),
        (("id",), None, {"id": Prefix("f")}, 1),
        (("id",), None, {"id": Prefix("34")}, 0),
    ],
)
def test_both_readers_find_the_same(
    index: Index, ordered_by: tuple[str, ...], most: int | None, where: dict[str, Wanted], number: int
) -> None:
    rows = [
        replace(
            _ROOT,
            id=one,
            architecture=f"a{place % 2}",
            fork_commit=_IDS[0] if place % 3 else None,
            fork_confidence=place / 4,
        )
        for place, one in enumerate(_IDS)
    ]
    with index.writing() as connection:
        connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
        insert_rows(connection, rows)
        found = LineageRow.find(connection, ordered_by=ordered_by, most=most, **where)
        assert len(found) == number
        picked = LineageRow.pick(connection, "id", "name", ordered_by=ordered_by, most=most, **where)
        assert list(map(tuple, picked)) == [(row.id, row.name) for row in found]
        raw = connection.connection.driver_connection
        assert raw is not None
        view = mvc.index.View(raw)
        assert view.stamp() is None
        set_stamp(connection, Stamp("e", "o"))
        assert view.stamp() == Stamp("e", "o")
        assert LineageRow.find(view, ordered_by=ordered_by, most=most, **where) == found
        assert list(map(tuple, LineageRow.pick(view, "id", "name", ordered_by=ordered_by, most=most, **where))) == list(
            map(tuple, picked)
        )
        LineageRow.clear(connection)


def test_an_index_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.Error), viewing(tmp_path / "none.sqlite"):
        pass
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_no_index_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "index.sqlite").write_bytes(b"no database" * 400)
    with pytest.raises(sqlite3.Error), viewing(tmp_path / "index.sqlite") as view:
        view.stamp()
