"""Differences give back what they were made from, bit for bit; and take nothing that lies about itself."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mvc.errors import IntegrityError
from mvc.objects import DTYPES, TensorSpec
from mvc.odb import deltas, loops
from mvc.odb.deltas import MAX_CLASSES, PLAN_BYTES, Plan, decode_residuals, encode_residuals, make_plan
from mvc.odb.numbers import number_form

NUMEL = 1 << 16


@pytest.fixture(scope="module", autouse=True, params=["as installed", "in NumPy"])
def inner_loops(request: pytest.FixtureRequest) -> Iterator[None]:
    """Everything holds with the compiled loops, if there are any, and without."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "in NumPy":
            for name in ("tally", "split", "join"):
                patch.setattr(deltas, name, getattr(loops, name))
        yield


def states(dtype: str, numel: int = NUMEL, *, step: float = 1e-3, count: int = 3) -> list[bytes]:
    """A tensor on its way, newest first: where it began is noise, where it went a drifting walk."""
    rng = np.random.default_rng(numel)
    kind = DTYPES[dtype].numpy
    if kind is None or DTYPES[dtype].number not in ("float", "complex"):
        first = rng.integers(0, 2 if dtype == "BOOL" else 100, TensorSpec(dtype, (numel,)).nbytes, dtype=np.uint8)
        found = [first]
        for _ in range(count - 1):
            found.append(np.where(rng.random(len(first)) < 0.02, 1, found[-1]).astype(np.uint8))
        return [one.tobytes() for one in reversed(found)]
    weights = rng.normal(size=numel) * 0.02
    drift = rng.normal(size=numel) * step * 0.02
    path = [weights]
    for _ in range(count - 1):
        drift = 0.9 * drift + 0.1 * step * 0.02 * rng.normal(size=numel)
        path.append(path[-1] + drift)
    return [one.astype(kind).tobytes() for one in reversed(path)]


def coded(dtype: str, data: bytes, bases: list[bytes]) -> bytes:
    form = number_form(TensorSpec(dtype, (8,)))
    plan, _ = make_plan(data, form, bases)
    return b"".join(encode_residuals(data, form, bases[: plan.bases], plan))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_every_dtype_comes_back(dtype: str, count: int) -> None:
    data, *bases = states(dtype, count=count)
    form = number_form(TensorSpec(dtype, (8,)))
    for eighths in (0, -4, 3, 8) if count == 3 else (0,):
        for classes in (1, 5, MAX_CLASSES) if bases else (1,):
            used = bases[: 2 if eighths else 1]
            plan = Plan(len(used), eighths if used else 0, classes, 120)
            payload = b"".join(encode_residuals(data, form, used, plan))
            assert bytes(decode_residuals(memoryview(payload), form, len(data), used)) == data


@pytest.mark.parametrize("numel", [0, 1, 3, 8, 4095, 4097, (1 << 16) + 1, (1 << 20) + 5])
def test_every_length_comes_back(numel: int) -> None:
    form = number_form(TensorSpec("F32", (1,)))
    data, *bases = states("F32", numel)
    plan = Plan(2, 4, 7, 121)
    payload = b"".join(encode_residuals(data, form, bases, plan))
    assert bytes(decode_residuals(memoryview(payload), form, len(data), bases)) == data


@settings(deadline=None)
@given(
    dtype=st.sampled_from(["F32", "BF16", "F16", "F64", "F8_E4M3", "I16", "U64", "C64"]),
    numbers=st.lists(st.binary(min_size=8, max_size=8), min_size=1, max_size=60),
    eighths=st.integers(-8, 8),
    top=st.integers(0, 3000),
)
def test_any_bits_come_back(dtype: str, numbers: list[bytes], eighths: int, top: int) -> None:
    """NaN, infinities, both zeros, the least and the greatest, whatever they are predicted from."""
    form = number_form(TensorSpec(dtype, (1,)))
    data = b"".join(numbers)
    first, second = data[8:] + data[:8], data[::-1]
    used = [first, second] if eighths else [first]
    payload = b"".join(encode_residuals(data, form, used, Plan(len(used), eighths, 4, top)))
    assert bytes(decode_residuals(memoryview(payload), form, len(data), used)) == data


def test_order_is_the_order_of_numbers() -> None:
    values = np.array([-np.inf, -3.5, -1e-40, -0.0, 0.0, 1e-45, 1.0, 1.0000001, np.inf], dtype="<f4")
    form = number_form(TensorSpec("F32", (1,)))
    ordered = form.order(values.view("<i4"))
    assert (np.diff(ordered.astype(np.int64)) > 0).all()
    assert (form.order(ordered) == values.view("<i4")).all()
    near = form.order(np.array([1.0, np.nextafter(np.float32(1), np.float32(2))], dtype="<f4").view("<i4"))
    assert near[1] - near[0] == 1


@pytest.mark.parametrize(
    ("dtype", "alone", "one", "two"),
    [("F32", 0.85, 0.62, 0.54), ("BF16", 0.69, 0.26, 0.17), ("F16", 0.90, 0.42, 0.30), ("F64", 0.92, 0.81, 0.77)],
)
def test_a_base_saves_and_a_second_one_saves_more(dtype: str, alone: float, one: float, two: float) -> None:
    data, *bases = states(dtype)
    shares = [len(coded(dtype, data, bases[:count])) / len(data) for count in (0, 1, 2)]
    assert shares[0] <= alone
    assert shares[1] <= one
    assert shares[2] <= two


def test_a_base_that_has_nothing_to_do_with_it_is_not_used() -> None:
    data = states("F32")[0]
    stranger = (np.random.default_rng(9).normal(size=NUMEL) * 0.02).astype("<f4").tobytes()
    plan, _ = make_plan(data, number_form(TensorSpec("F32", (1,))), [stranger])
    assert plan.reach == 0


def test_a_tensor_of_which_few_rows_moved_costs_those_rows() -> None:
    old = (np.random.default_rng(0).normal(size=(1024, 64)) * 0.02).astype("<f4")
    new = old.copy()
    new[100:110] += 1e-3
    assert len(coded("F32", new.tobytes(), [old.tobytes()])) < 0.02 * new.nbytes


def test_prediction_is_integer_arithmetic() -> None:
    """Against Python's own integers, so that what one machine stores another reads."""
    first, second = states("BF16", 512, count=2)
    form = number_form(TensorSpec("BF16", (512,)))
    found = form.predict(form.order(np.frombuffer(first, "<i2")), form.order(np.frombuffer(second, "<i2")), 3)
    expected = []
    for a, b in zip(map(_ordered, _words(first)), map(_ordered, _words(second)), strict=True):
        moved = a - b if abs(a - b) <= 1 << 7 else 0
        expected.append(a + ((moved * 3 + 4) >> 3))
    assert found.tolist() == expected


def _words(data: bytes) -> list[int]:
    return np.frombuffer(data, "<u2").tolist()


def _ordered(bits: int) -> int:
    return bits if bits < 0x8000 else -(bits & 0x7FFF) - 1


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_damaged_payloads_give_the_declared_size_or_an_integrity_error(data: st.DataObject) -> None:
    content, *bases = states("F32", 9000)
    form = number_form(TensorSpec("F32", (1,)))
    payload = bytearray(coded("F32", content, bases))
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, min(len(payload), 400) - 1))
        payload[position] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(0, len(payload)))
    for damaged in (payload, payload[:cut], payload + b"x"):
        for used in ([], bases[:1], bases):
            with contextlib.suppress(IntegrityError):
                assert len(decode_residuals(memoryview(bytes(damaged)), form, len(content), used)) == len(content)


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(0, 300))
def test_junk_is_an_integrity_error(junk: bytes, size: int) -> None:
    form = number_form(TensorSpec("F16", (1,)))
    with contextlib.suppress(IntegrityError):
        assert len(decode_residuals(memoryview(junk), form, size, [])) == size


def test_a_plan_that_does_not_add_up_is_refused() -> None:
    data, first, _ = states("F32", 5000)
    form = number_form(TensorSpec("F32", (1,)))
    good = b"".join(encode_residuals(data, form, [first], Plan(1, 0, 2, 120)))
    for position, value in ((0, 65), (0, 0), (1, 9), (1, 3), (2, 0), (2, MAX_CLASSES + 1)):
        bad = bytearray(good)
        bad[position] = value
        with pytest.raises(IntegrityError):
            decode_residuals(memoryview(bytes(bad)), form, len(data), [first])
    with pytest.raises(IntegrityError):
        decode_residuals(memoryview(good), form, len(data), [first[:-4]])
    with pytest.raises(IntegrityError):
        decode_residuals(memoryview(good[: PLAN_BYTES - 1]), form, len(data), [first])
