"""The compiled loops and those in NumPy do the same, which is what the format says; and no counts, lengths or terms
make either touch memory that is not theirs."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import mvc.odb
from mvc.odb import deltas, kernel, loops
from mvc.odb.deltas import Plan, decode_residuals, encode_residuals
from mvc.odb.loops import MAX_CLASSES, Terms
from mvc.odb.numbers import NumberForm

#: every width and mantissa that there is
FORMS = [NumberForm(width, mantissa) for width, mantissa in (
    (1, None), (2, None), (4, None), (8, None), (1, 3), (1, 2), (2, 10), (2, 7), (4, 23), (8, 52),
)]  # fmt: skip
needs_kernel = pytest.mark.skipif(not kernel.COMPILED, reason="the kernel is not built: pip install -e . does")


def compiled() -> Any:
    return kernel.compiled


@pytest.fixture(scope="module", params=[pytest.param("compiled", marks=needs_kernel), "numpy"])
def either(request: pytest.FixtureRequest) -> Any:
    return compiled() if request.param == "compiled" else loops


@st.composite
def cases(draw: st.DrawFn, sizes: st.SearchStrategy[int]) -> tuple[bytes, bytes, bytes, Terms]:
    """Values, two bases or one or none, and terms: states near each other, with what is special in each of them."""
    form = draw(st.sampled_from(FORMS))
    count, bases = draw(sizes), draw(st.integers(0, 2))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    bits = 8 * form.width
    near = rng.integers(-(1 << draw(st.integers(0, bits - 1))), 1 << draw(st.integers(0, bits - 2)), (3, count))
    special = [0, 1, 1 << bits - 1, (1 << bits - 1) - 1, (1 << bits) - 1]  # zeros, NaN, the least, the greatest
    if form.mantissa is not None:
        special += [infinity := ((1 << bits - 1) - 1) >> form.mantissa << form.mantissa, infinity | 1 << bits - 1]
    center = rng.integers(0, 1 << bits, count, dtype=np.uint64).astype(form.unsigned)
    states = center + near.astype(form.unsigned)
    chosen = rng.random((3, count)) < draw(st.sampled_from([0.0, 0.01, 0.5]))
    states[chosen] = np.array(special, dtype=np.uint64).astype(form.unsigned)[
        rng.integers(0, len(special), int(chosen.sum()))
    ]
    values, *others = (state.tobytes() for state in states)
    first, second = (*others[:bases], b"", b"")[:2]
    classes = draw(st.integers(1, MAX_CLASSES)) if bases else 1
    eighths = draw(st.integers(-8, 8)) if bases == 2 else 0
    return values, first, second, Terms.of(form, eighths=eighths, classes=classes, top=draw(tops(form)))


def tops(form: NumberForm) -> st.SearchStrategy[int]:
    largest = 0 if form.mantissa is None else form.largest >> form.mantissa
    return st.one_of(st.integers(0, largest + 2), st.integers(0, 65535))


def run(module: Any, values: bytes, first: bytes, second: bytes, terms: Terms) -> tuple[tuple[int, ...], bytes, bytes]:
    """Counts, planes, and the values that come back."""
    planes = np.full(len(values), 0xAA, dtype=np.uint8)
    counts = module.split(values, first, second, terms, planes)
    if first:
        assert module.tally(first, terms) == counts
    again = np.full(len(values), 0x55, dtype=np.uint8)
    module.join(planes, counts, first, second, terms, again)
    return counts, planes.tobytes(), again.tobytes()


@needs_kernel
@settings(deadline=None, max_examples=300)
@given(cases(st.one_of(st.integers(0, 40), st.sampled_from([2047, 2048, 2049, 4096, 32767, 32768, 32769, 70000]))))
def test_both_are_the_same(case: tuple[bytes, bytes, bytes, Terms]) -> None:
    found = run(compiled(), *case)
    assert found == run(loops, *case)
    assert found[2] == case[0]


@settings(deadline=None)
@given(case=cases(st.integers(0, 30)))
def test_they_do_what_the_format_says(either: Any, case: tuple[bytes, bytes, bytes, Terms]) -> None:
    """With Python's own integers, from the text of the format."""
    counts, planes, _ = run(either, *case)
    *buffers, terms = case
    bits, m, width = 8 * terms.width, terms.mantissa, terms.width
    values, first, second = ([int.from_bytes(data[i : i + width], "little", signed=True) for i in range(
        0, len(data), width)] for data in buffers)  # fmt: skip

    def ordered(s: int) -> int:
        return s if m < 0 else s ^ ((s >> bits - 1) & (1 << bits - 1) - 1)

    def wrapped(x: int) -> int:
        return (x + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)

    grouped: list[list[int]] = [[] for _ in range(terms.classes)]
    for place, value in enumerate(values):
        predicted = ordered(first[place]) if first else 0
        number = 0
        if first:
            e = 0 if m < 0 else (predicted ^ (predicted >> bits - 1)) >> m
            number = min(max(terms.top - e, 0), terms.classes - 1)
        if second and m >= 0:
            d = wrapped(predicted - ordered(second[place]))
            d = 0 if abs(d) > 1 << m else d
            predicted += wrapped(d * terms.eighths + 4) >> 3
        r = wrapped(ordered(value) - predicted)
        grouped[number].append(((r << 1) ^ (r >> bits - 1)) % (1 << bits))
    assert counts == tuple(map(len, grouped))
    folded = [number for group in grouped for number in group]
    assert planes == bytes((number >> 8 * index) & 255 for index in range(width) for number in folded)


def test_buffers_may_lie_anywhere(either: Any) -> None:
    terms = Terms.of(NumberForm(4, 23), eighths=3, classes=8, top=125)
    data = np.random.default_rng(0).normal(size=5000).astype("<f4").tobytes()
    shifted = memoryview(b"x" + data)[1:]
    assert run(either, data, data[::-1], data, terms) == run(either, shifted, data[::-1], shifted, terms)


@settings(deadline=None, max_examples=300)
@given(data=st.data(), case=cases(st.sampled_from([0, 1, 7, 3000])))
def test_counts_that_are_not_so_are_refused(
    either: Any, data: st.DataObject, case: tuple[bytes, bytes, bytes, Terms]
) -> None:
    values, first, second, terms = case
    planes, into = (np.zeros(len(values), dtype=np.uint8) for _ in range(2))
    right = either.split(values, first, second, terms, planes)
    anything = st.integers(-(1 << 70), 1 << 70) | st.integers(-2, 4000)
    wrong = tuple(data.draw(st.lists(anything, max_size=14)))
    shifted = (right[0] + 1, *right[1:-1], right[-1] - 1) if len(right) > 1 else (right[0] + 1,)
    for counts in (wrong, shifted, right[::-1], (*right, 0), right[:-1]):
        if counts != right:
            with pytest.raises(ValueError, match="do not fit"):
                either.join(planes, counts, first, second, terms, into)


@settings(deadline=None)
@given(lengths=st.tuples(*[st.sampled_from([0, 4, 5, 8, 12, 4096, 4100])] * 4), classes=st.integers(1, MAX_CLASSES))
@example(lengths=(8, 0, 8, 8), classes=1)
@example(lengths=(8, 0, 0, 8), classes=2)
def test_lengths_that_do_not_fit_are_refused(either: Any, lengths: tuple[int, ...], classes: int) -> None:
    values, first, second, planes = (np.zeros(length, dtype=np.uint8) for length in lengths)
    terms = Terms(4, 23, 1, classes, 0)
    size = lengths[0]
    fits = size % 4 == 0 and lengths[3] == size and {lengths[1], lengths[2]} <= {0, size}
    if fits and (lengths[1] or not size or (classes == 1 and not lengths[2])):
        assert either.split(values, first, second, terms, planes)[0] == size // 4
    else:
        with pytest.raises(ValueError):
            either.split(values, first, second, terms, planes)
        with pytest.raises(ValueError):
            either.join(planes, (size // 4, *[0] * (classes - 1)), first, second, terms, values)


@needs_kernel
@given(st.tuples(*[st.integers(-3, 70) | st.integers(-(1 << 31), (1 << 31) - 1)] * 5))
def test_terms_that_do_not_add_up_are_refused(terms: tuple[int, ...]) -> None:
    """By what is compiled: none reach it but by `Terms.of` of a plan that was read."""
    zeros = np.zeros(64, dtype=np.uint8)
    width, mantissa, eighths, classes, top = terms
    possible = width in (1, 2, 4, 8) and -1 <= mantissa <= 8 * width - 2 and -8 <= eighths <= 8
    if possible and 1 <= classes <= MAX_CLASSES and 0 <= top < 1 << 15:
        return
    for call in (
        lambda: compiled().tally(zeros, terms),
        lambda: compiled().split(zeros, zeros, zeros, terms, zeros),
        lambda: compiled().join(zeros, (64,), zeros, zeros, terms, zeros),
    ):
        with pytest.raises(ValueError):
            call()


@needs_kernel
def test_what_is_written_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    weights = rng.normal(size=(1 << 20) + 4099).astype("<f4") * np.float32(0.02)  # two segments
    states = [(weights + step * np.float32(1e-5)).tobytes() for step in (2, 1, 0)]
    form = NumberForm(4, 23)
    written = {}
    for module in (compiled(), loops):
        for name in ("tally", "split", "join"):
            monkeypatch.setattr(deltas, name, getattr(module, name))
        for plan in (Plan(0, 0, 1, 0), Plan(1, 0, 8, 124), Plan(2, 6, 8, 124)):
            bases = states[1 : 1 + plan.bases]
            payload = b"".join(encode_residuals(states[0], form, bases, plan))
            assert written.setdefault(plan, payload) == payload
            assert bytes(decode_residuals(memoryview(payload), form, len(states[0]), bases)) == states[0]


@pytest.mark.parametrize("found", [None, SimpleNamespace(INTERFACE=0)], ids=["missing", "of another source"])
def test_without_a_kernel_that_fits_numpy_does_it(found: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mvc.odb._kernel", found)
    monkeypatch.delattr(mvc.odb, "_kernel", raising=False)
    chosen = runpy.run_path(str(Path(kernel.__file__)))
    assert not chosen["COMPILED"]
    assert (chosen["tally"], chosen["split"], chosen["join"]) == (loops.tally, loops.split, loops.join)


def test_without_a_compiler_nothing_is_built_and_nothing_fails(tmp_path: Path) -> None:
    pytest.importorskip("setuptools")
    command = [sys.executable, "setup.py", "build_ext", "--build-lib", tmp_path, "--build-temp", tmp_path]
    root = Path(__file__).parents[2]
    subprocess.run(command, cwd=root, env={**os.environ, "CC": "false"}, check=True, capture_output=True)
    assert not [*tmp_path.rglob("*.so")]
