"""The one escape that every name from a file goes through before a terminal, a page or a picture shows it."""

from __future__ import annotations

import unicodedata

#: categories that nothing shows as they are: controls, format characters (bidi, zero width), surrogates, unassigned,
#: line and paragraph separators
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"})


def escape(text: object) -> str:
    """Any text as one line of visible characters: what could steer a terminal becomes a backslash escape."""
    value = str(text)
    if value.isascii() and value.isprintable():
        return value
    return "".join(_escaped(char) if unicodedata.category(char) in _UNSAFE else char for char in value)


def _escaped(char: str) -> str:
    code = ord(char)
    if code < 0x100:
        return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(char, f"\\x{code:02x}")
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
