"""A repository's settings: TOML in, one frozen dataclass out. Owns the keys and who may be trusted to have set them.

A config holds plain values; no value is ever run, expanded or imported. Unknown keys are errors that name the key.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

from mvc.errors import InputError
from mvc.objects import KEYFRAME, MAX_BASES
from mvc.storage import FileSystem, disk_errors

Table = TypeVar("Table")
_HINT = "correct the file; what can be set, says: mvc help config"


@dataclass(frozen=True, slots=True)
class UserConfig:
    author: str = ""


@dataclass(frozen=True, slots=True)
class LockConfig:
    """``timeout``: seconds that a change waits for each one that is before it."""

    timeout: float = 30.0


@dataclass(frozen=True, slots=True)
class StorageConfig:
    """``keyframe``: how many objects may have to be read besides a tensor's own; 0: none is stored as a difference."""

    compress: bool = True
    keyframe: int = KEYFRAME


@dataclass(frozen=True, slots=True)
class IndexConfig:
    """``url`` is SQLAlchemy's; '' for an SQLite file of the repository's own."""

    url: str = ""


@dataclass(frozen=True, slots=True)
class Config:
    """``.mvc/config.toml``; what it does not say has the default that stands here."""

    user: UserConfig = field(default_factory=UserConfig)
    lock: LockConfig = field(default_factory=LockConfig)
    storage: StorageConfig = field(default_factory=StorageConfig)
    index: IndexConfig = field(default_factory=IndexConfig)


def parse_config(content: bytes, source: str) -> Config:
    """Config of a TOML file's bytes; ``source`` names it in errors. Raises InputError."""
    try:
        table = tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:
        message = f"{source} is not readable TOML: {error}"
        raise InputError(message, hint=_HINT, code="bad-config") from None
    config = _build(Config(), table, source, "")
    if not 0 <= config.lock.timeout < 1e7:
        raise InputError(
            f"{source}: lock.timeout must be a number of seconds, 0 or more", hint=_HINT, code="bad-config"
        )
    if not 0 <= config.storage.keyframe <= MAX_BASES:
        raise InputError(
            f"{source}: storage.keyframe must be a number from 0 to {MAX_BASES}", hint=_HINT, code="bad-config"
        )
    if config.index.url and not config.index.url.startswith(("postgresql:", "postgresql+", "sqlite:")):
        hint = "use a URL that begins with postgresql:// or leave it empty"
        raise InputError(f"{source}: index.url is for PostgreSQL or SQLite only", hint=hint, code="bad-config")
    return config


def read_config(fs: FileSystem, path: Path) -> Config:
    """Config at ``path``; the defaults where there is no such file."""
    with disk_errors(path, "read"):
        try:
            content = fs.read(path)
        except FileNotFoundError:
            return Config()
    return parse_config(content, str(path))


def check_owner(fs: FileSystem, *paths: Path) -> None:
    """Raises InputError where another user owns one of these and so, as with git, decides what they say."""
    for path in paths:
        with disk_errors(path, "read"):
            try:
                owner = fs.stat(path).st_uid
            except FileNotFoundError:
                continue
        if owner != os.geteuid():
            raise InputError(
                f"{str(path)!r} belongs to another user (uid {owner})",
                hint="if you trust that user, run the command with MVC_TRUST=1 in its environment",
                code="untrusted",
            )


def _build(default: Table, table: dict[str, Any], source: str, prefix: str) -> Table:
    """``default`` with what ``table`` says instead."""
    known = {item.name: getattr(default, item.name) for item in fields(default)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for key, value in table.items():
        name = f"{prefix}{key}"
        if key not in known:
            hint = f"known here: {', '.join(sorted(known))}"
            raise InputError(f"{source}: unknown key {name!r}", hint=hint, code="bad-config")
        old = known[key]
        if is_dataclass(old) and isinstance(value, dict):
            values[key] = _build(old, value, source, f"{name}.")
        elif isinstance(old, float) and type(value) in (int, float):
            values[key] = float(value)
        elif type(value) is type(old):
            values[key] = value
        else:
            kind = "table" if is_dataclass(old) else {"str": "string"}.get(type(old).__name__, type(old).__name__)
            raise InputError(f"{source}: {name!r} must be a {kind}", hint=_HINT, code="bad-config")
    return type(default)(**{**known, **values})
