"""The one JSON spelling of a value: sorted keys, no white space, ASCII, finite numbers. Owns encoding and strict
decoding of small objects; refuses anything that would not encode back to the same bytes.
"""

from __future__ import annotations

import json
from typing import Any

from mvc.errors import InputError, IntegrityError


def encode(value: Any) -> bytes:
    """Canonical bytes of a JSON-able value. Raises InputError for NaN and infinities."""
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()
    except ValueError as error:
        raise InputError(f"a value cannot be recorded: {error}", hint="declared numbers must be finite") from None


def decode(payload: bytes) -> dict[str, Any]:
    """Value of canonical bytes. Raises IntegrityError unless they are exactly what `encode` writes."""
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError):
        raise IntegrityError("a stored object is not readable JSON", hint="run: mvc fsck") from None
    if not isinstance(value, dict) or encode(value) != payload:
        raise IntegrityError("a stored object is not in canonical form", hint="run: mvc fsck")
    return value
