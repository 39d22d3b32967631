"""Damage: bytes and JSON values that are nearly right. Owns the ways to spoil them, all from one generator.

Nearly right is what finds defects: random bytes are refused at the first look.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import Any

_NUMBERS = (0, 1, 2, 7, 8, 127, 128, 255, 256, 1 << 15, 1 << 16, 1 << 31, 1 << 32, 1 << 53, 1 << 62, 1 << 63)
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 1.5, 1e308, 1 << 31, 1 << 62, 1 << 64, 10**30, math.inf, "", "a", "\0", "\ud800",
    "é", "../x", "/etc/passwd", "f" * 64, "F32", "weight", [], {}, [[]], [0], {"": 0},
)  # fmt: skip


def damage(rng: random.Random, data: bytes, others: Sequence[bytes] = ()) -> bytes:
    """``data`` with one to four things wrong with it; ``others`` are what pieces are taken from as well."""
    for _ in range(rng.choice((1, 1, 1, 2, 3, 4))):
        data = rng.choice(_WAYS)(rng, data, others or (data,))
    return data


def _flip(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :] if at < len(data) else data + b"\0"


def _byte(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + bytes([rng.choice((0, 1, 0x20, 0x2D, 0x7F, 0x80, 0xFF, rng.randrange(256)))]) + data[at + 1 :]


def _number(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    length = rng.choice((1, 2, 4, 8))
    value = (rng.choice(_NUMBERS) + rng.choice((-1, 0, 1))) % (1 << 8 * length)
    at = rng.randrange(len(data) + 1)
    return data[:at] + value.to_bytes(length, rng.choice(("little", "big"))) + data[at + length :]


def _digits(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    places = [at for at, byte in enumerate(data[:4096]) if 0x30 <= byte <= 0x39]
    if not places:
        return data
    at = rng.choice(places)
    return data[:at] + str(rng.choice(_NUMBERS) * rng.choice((1, 1, -1))).encode() + data[at + 1 :]


def _cut(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _drop(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + data[at + rng.choice((1, 2, 4, 8, 16, 64)) :]


def _repeat(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    at, length = rng.randrange(len(data) + 1), rng.choice((1, 4, 16, 64, 256))
    return data[: at + length] + data[at:]


def _splice(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    other = rng.choice(others)
    start, at = rng.randrange(len(other) + 1), rng.randrange(len(data) + 1)
    piece = other[start : start + rng.choice((1, 4, 16, 64, 1024))]
    return data[:at] + piece + data[at + rng.choice((0, len(piece))) :]


def _nest(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Deeper than Python's stack, for what parses JSON or TOML."""
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice((b"[", b'{"a":')) * 2000 + data[at:]


_WAYS: tuple[Callable[[random.Random, bytes, Sequence[bytes]], bytes], ...] = (
    _flip, _flip, _flip, _byte, _byte, _number, _number, _number, _digits, _digits, _cut, _cut, _drop, _drop, _repeat,
    _repeat, _splice, _splice, _nest,
)  # fmt: skip


def damage_json(rng: random.Random, value: Any) -> Any:
    """A JSON value with one place in it changed, added or taken away; types and ranges are respected by nobody."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(sorted(value))
        choice = rng.random()
        if choice < 0.1:
            return {name: item for name, item in value.items() if name != key}
        if choice < 0.2:
            return {**value, rng.choice(("x", "version", "removed", "extra")): rng.choice(_VALUES)}
        return {**value, key: damage_json(rng, value[key])}
    if isinstance(value, list) and value and rng.random() < 0.9:
        at = rng.randrange(len(value))
        choice = rng.random()
        if choice < 0.1:
            return value[:at] + value[at + 1 :]
        if choice < 0.2:
            return [*value[:at], value[at], *value[at:]]
        return [*value[:at], damage_json(rng, value[at]), *value[at + 1 :]]
    if isinstance(value, int) and not isinstance(value, bool) and rng.random() < 0.5:
        return rng.choice(_NUMBERS) * rng.choice((1, -1)) + rng.choice((-1, 0, 1))
    return rng.choice(_VALUES)
