"""What a repository keeps beside its objects: settings, pointers, records of who holds the lock, and caches.

Where a digest guards a file, half of the inputs have one that fits, as somebody hostile would write it.
"""

from __future__ import annotations

import contextlib
import json
import random
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import blake3

from mvc.embedding.embedder import Embedder, from_bytes
from mvc.embedding.recipes import Recipe
from mvc.porcelain.digests import Digests
from mvc.porcelain.policy import read_policy
from mvc.repository import Repository
from mvc.repository.config import parse_config
from mvc.repository.layout import read_template
from mvc.storage import REAL
from mvc.testing.mutations import damage, damage_json
from mvc.testing.readers.reader import Reader
from mvc.testing.readers.standing import DIGESTS, INDEX, STATE, ask, files, stand

#: what is asked of a repository whose index is damaged: every way there is to read it
_QUESTIONS = (
    ("log",),
    ("log", "--json"),
    ("show", "HEAD"),
    ("tag",),
    ("lineage",),
    ("diff", "HEAD", "HEAD~1"),
    ("blame", "HEAD"),
    ("check", "--all", "--exit-zero"),
    ("status",),
    ("du",),
    ("tag", "new"),
    ("fsck",),
)


def _read_config(data: bytes, scratch: Path) -> None:
    parse_config(data, "config.toml")


def _read_policy(data: bytes, scratch: Path) -> None:
    root = stand(scratch, "policy.toml", data)
    read_policy(Repository.open(root).layout)


def _opened(name: str) -> Callable[[bytes, Path], None]:
    """Opens a repository with such a file, and asks for what its operations add up to."""

    def read(data: bytes, scratch: Path) -> None:
        repository = Repository.open(stand(scratch, name, data))
        state = repository.state()
        _ = [repository.commit(commit).path for commit in (*state.commits, *state.tags.values(), *state.gone)]

    return read


def _read_holder(data: bytes, scratch: Path) -> None:
    repository = Repository.open(stand(scratch, "locks/holder.json", data))
    with repository.lock(0, "test"):
        pass


def _holder() -> bytes:
    record = {"pid": 2**22 + 1, "host": socket.gethostname(), "start": "a:1", "command": "commit", "token": "ab"}
    return json.dumps(record).encode()


def _spoil_json(rng: random.Random, sample: bytes, others: tuple[bytes, ...]) -> bytes:
    try:
        value = json.loads(sample)
    except (ValueError, RecursionError):  # one of the inputs that are kept as samples
        value = None
    if value is None or rng.random() < 0.5:
        return damage(rng, sample, others)
    return json.dumps(damage_json(rng, value)).encode()


def _spoil_state(rng: random.Random, sample: bytes, others: tuple[bytes, ...]) -> bytes:
    if rng.random() < 0.3:
        return damage(rng, sample, others)
    payload = _spoil_json(rng, sample.partition(b"\n")[2], others)
    return blake3.blake3(payload).hexdigest().encode() + b"\n" + payload


def _read_digests(data: bytes, scratch: Path) -> None:
    root = stand(scratch, DIGESTS, data)
    (root / "a.safetensors").write_bytes(b"a")
    digests = Digests(Repository.open(root))
    digests.content(root / "a.safetensors")
    digests.of(root / "a.safetensors", lambda: "0" * 64)
    digests.save()


def _spoil_index(rng: random.Random, sample: bytes, others: tuple[bytes, ...]) -> bytes:
    """Most of them sound for SQLite, with values in them that mvc never wrote."""
    if rng.random() < 0.3:
        return damage(rng, sample, others)
    try:
        with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as raw:
            raw.deserialize(sample)
            for _ in range(rng.choice((1, 1, 2, 4))):
                _spoil_value(rng, raw)
            return bytes(raw.serialize())
    except (sqlite3.Error, UnicodeError, IndexError):  # one of the inputs that are kept as samples
        return damage(rng, sample, others)


def _spoil_value(rng: random.Random, raw: sqlite3.Connection) -> None:
    """Another value in one place of a table."""
    tables = raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    name = rng.choice([name for (name,) in tables if raw.execute(f'SELECT 1 FROM "{name}"').fetchone()])
    place = rng.choice([row for (row,) in raw.execute(f'SELECT rowid FROM "{name}"')])
    column = rng.choice([row[1] for row in raw.execute(f'PRAGMA table_info("{name}")')])
    (known,) = raw.execute(f'SELECT "{column}" FROM "{name}" WHERE rowid = ?', (place,)).fetchone()
    # what no column takes, or a constraint refuses
    with contextlib.suppress(sqlite3.IntegrityError, sqlite3.InterfaceError, UnicodeError, OverflowError):
        raw.execute(f'UPDATE "{name}" SET "{column}" = ? WHERE rowid = ?', (_spoilt(rng, known), place))


def _spoilt(rng: random.Random, value: Any) -> Any:
    if isinstance(value, bytes) and rng.random() < 0.8:
        return damage(rng, value)
    if isinstance(value, str) and rng.random() < 0.8:
        return _spoil_json(rng, value.encode(), ()).decode("utf-8", "replace")
    found = damage_json(rng, value)
    return found if isinstance(found, str | int | float | bytes | None) else json.dumps(found)


def _read_index(data: bytes, scratch: Path) -> None:
    root = stand(scratch, INDEX, data)
    # which ones is decided by the input, so that it fails again
    first = int.from_bytes(blake3.blake3(data).digest()[:2], "big")
    for number in (first, first // len(_QUESTIONS)):
        ask(root, *_QUESTIONS[number % len(_QUESTIONS)])


def _embedder() -> bytes:
    recipe = Recipe("small", statistics=True, width=4, heads=1, feedforward=4, latent=2, projection=(2, 2), loss="E_cD")
    return Embedder({"fc1.weight": (3, 4), "fc2.weight": (2, 3)}, recipe).to_bytes()


def kept_readers() -> tuple[Reader, ...]:
    template, known = read_template(REAL, None), files()
    return (
        Reader("config", (template["config.toml"],), _read_config),
        Reader("policy", (template["policy.toml"],), _read_policy),
        Reader("format", (known["format"],), _opened("format")),
        Reader("HEAD", (known["HEAD"],), _opened("HEAD")),
        Reader("lock's holder", (_holder(),), _read_holder, _spoil_json),
        Reader("kept state", (known[STATE],), _opened(STATE), _spoil_state),
        Reader("digests", (known[DIGESTS],), _read_digests, _spoil_json),
        Reader("index", (known[INDEX],), _read_index, _spoil_index, weight=1),
        Reader("embedder", (_embedder(),), lambda data, _: from_bytes(data), weight=2),
    )
