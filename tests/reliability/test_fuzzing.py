"""Every reader, given what is nearly right: it takes it or says what is wrong with it, in time and in bounds.

Rows 1 to 6 and 8 to 14 of the table for files, 27 and 33 for what is stored; ``benchmarks/storage/fuzz.py`` does the
same with millions of inputs.
"""

from __future__ import annotations

import logging
import random
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mvc.errors import MvcError
from mvc.testing.fuzzing import outcome, watched
from mvc.testing.mutations import damage
from mvc.testing.readers import Reader, readers

READERS = {reader.name: reader for reader in readers()}
#: inputs to a reader of weight 10
INPUTS = 300


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logging.disable()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("name", READERS)
def test_sound_samples_are_taken(name: str, tmp_path: Path) -> None:
    for sample in READERS[name].samples:
        READERS[name].read(sample, tmp_path)


@pytest.mark.parametrize("name", READERS)
def test_damaged_samples_are_taken_or_refused(name: str, tmp_path: Path) -> None:
    reader = READERS[name]
    for sample in reader.samples:  # what is imported on the way takes time and memory that are not the input's
        reader.read(sample, tmp_path)
    inputs = reader.inputs(random.Random(name))
    with watched():
        for _ in range(INPUTS * reader.weight // 10):
            data = next(inputs)
            assert (wrong := outcome(reader, data, tmp_path)) is None, (wrong, data)


@pytest.mark.parametrize("name", READERS)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_any_bytes_are_taken_or_refused(name: str, data: st.DataObject, tmp_path: Path) -> None:
    """What is put in front, behind or between a sample's pieces, as hypothesis likes it; it also makes it small."""
    reader = READERS[name]
    sample = data.draw(st.sampled_from(reader.samples))
    start, end = sorted((data.draw(st.integers(0, len(sample))), data.draw(st.integers(0, len(sample)))))
    content = sample[:start] + data.draw(st.binary(max_size=64)) + sample[end:]
    assert (wrong := outcome(reader, content, tmp_path)) is None, (wrong, content)


def test_the_watch_sees_what_it_should(tmp_path: Path) -> None:
    def hang(data: bytes, scratch: Path) -> None:
        while True:
            pass

    def hoard(data: bytes, scratch: Path) -> None:
        bytearray(1 << 30)

    def fail(data: bytes, scratch: Path) -> None:
        raise KeyError("x")

    def refuse(data: bytes, scratch: Path) -> None:
        raise MvcError("no")

    with watched():
        found = {
            read.__name__: outcome(Reader("", (b"",), read), b"", tmp_path) for read in (hang, hoard, fail, refuse)
        }
    assert found["refuse"] is None
    assert [str(found[name]).split()[0] for name in ("hang", "hoard", "fail")] == ["Hang", "MemoryError", "KeyError"]


def test_damage_changes_most_of_what_it_gets() -> None:
    rng = random.Random(0)
    sample = bytes(range(256))
    assert sum(damage(rng, sample) != sample for _ in range(200)) > 150
    assert damage(rng, b"") is not None
