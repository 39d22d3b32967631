"""Where a policy is read from. Owns the files and which one goes before which; what they say is `mvc.drift.policy`'s.

The first of these that says anything is the policy, whole; policies are never mixed: a file that was named, the
repository's ``.mvc/policy.toml``, ``[tool.mvc]`` in the ``pyproject.toml`` beside ``.mvc``, the catalogue's defaults.
``.mvc`` is kept out of git, so that a policy for everybody stands in ``pyproject.toml`` or is named.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mvc.drift import Policy, parse_policy
from mvc.errors import InputError, NotFoundError
from mvc.repository.layout import Layout

PYPROJECT = "pyproject.toml"


def read_policy(layout: Layout, named: Path | None = None) -> tuple[Policy, Path | None]:
    """The policy, and the file that it stands in; None for the defaults.

    Raises NotFoundError where ``named`` is not there and InputError (code "bad-policy") for one that cannot be used.
    """
    if named is not None:
        table = _table(named)
        if table is None:
            raise NotFoundError(f"there is no policy {str(named)!r}", hint="name another file with --policy")
        return parse_policy(table, _source(named)), named
    for path in (layout.policy, layout.directory.parent / PYPROJECT):
        table = _table(path)
        if table is not None and any(value != {} for value in table.values()):
            return parse_policy(table, _source(path)), path
    return Policy(), None


def _table(path: Path) -> Mapping[str, Any] | None:
    """What a file says of policy; None where there is no file."""
    try:
        table: Any = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{str(path)!r} is no policy: {error}", hint="correct the file", code="bad-policy") from None
    for key in ("tool", "mvc") if path.name == PYPROJECT else ():
        table = table.get(key, {})
        if not isinstance(table, Mapping):
            raise InputError(f"{str(path)!r}: {key!r} is no table", hint="correct the file", code="bad-policy")
    found: Mapping[str, Any] = table
    return found


def _source(path: Path) -> str:
    return f"[tool.mvc] of {str(path)!r}" if path.name == PYPROJECT else repr(str(path))
