"""Names of commits that the facts alone know: HEAD, tags, id prefixes. Owns the shape of tag names.

Lineages and steps along them are inferred and resolved above, in porcelain.
"""

from __future__ import annotations

import re
import unicodedata

from mvc.errors import InputError, NotFoundError
from mvc.objects import ObjectId
from mvc.repository.state import State

#: hexadecimal digits of an id that name a commit
MIN_PREFIX = 4

_PREFIX = re.compile(rf"[0-9a-f]{{{MIN_PREFIX},64}}")
_FORBIDDEN = "@~^:/\\?*["
_MAX_TAG = 200


def check_tag(name: str) -> str:
    """The name itself. Raises InputError for one that could be taken for another revision or hides something."""
    if not name or len(name.encode("utf-8", "replace")) > _MAX_TAG:
        why = "it is empty" if not name else f"it is longer than {_MAX_TAG} bytes"
    elif _PREFIX.fullmatch(name):
        why = "it looks like the beginning of an id"
    elif name.upper() == "HEAD":
        why = "HEAD is the newest commit"
    elif bad := next((character for character in name if character in _FORBIDDEN), None):
        why = f"it contains {bad!r}"
    elif name.startswith(("-", ".")) or ".." in name or name.endswith((".lock", ".")):
        why = "dots and dashes are out of place in it"
    elif any(character.isspace() or unicodedata.category(character)[0] in "CZ" for character in name):
        why = "it contains white space or a control character"
    else:
        return name
    hint = "use letters, digits, '-', '_' and single dots, such as v1.0"
    raise InputError(f"{name!r} cannot be a tag: {why}", hint=hint, code="bad-tag")


def resolve(state: State, revision: str) -> ObjectId:
    """The commit that ``revision`` names: HEAD, then tags, then unique id prefixes.

    Raises NotFoundError, and InputError where a prefix is ambiguous or too short.
    """
    if revision == "HEAD":
        if not state.commits:
            raise NotFoundError("nothing is committed here yet", hint="run: mvc commit PATH", code="no-commits")
        return state.commits[-1]
    if revision in state.tags:
        return state.tags[revision]
    if _PREFIX.fullmatch(revision):
        found = [commit for commit in state.commits if commit.startswith(revision)]
        if len(found) == 1:
            return found[0]
        if found:
            hint = f"use one of: {', '.join(commit[: len(revision) + 8] for commit in found[:5])}"
            raise InputError(f"{revision!r} is the beginning of {len(found)} ids", hint=hint, code="ambiguous")
    raise NotFoundError(f"{revision!r} names no commit or tag", hint="run: mvc log", code="no-such-revision")
