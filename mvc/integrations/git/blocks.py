"""Lines of ours in a text file of somebody else's, between two marker lines. Owns putting them in and taking them out
so that not a byte of the others is changed; reads and writes no file.
"""

from __future__ import annotations

from collections.abc import Sequence

_BEGIN = b"# >>> mvc: put here by `mvc git install`, taken away by `mvc git uninstall`"
#: the same, after a last line that had no end
_BEGIN_UNENDED = _BEGIN + b" (the line above had no end)"
_END = b"# <<< mvc"


def with_block(text: bytes, lines: Sequence[str]) -> bytes:
    """The text with these lines at its end, or in the place of those that were put in before."""
    ours = [line.encode() for line in lines]
    place = _place(text)
    if place is not None:
        head, inner, tail = place
        return head + b"\n".join([inner[0], *ours, _END]) + b"\n" + tail
    unended = bool(text) and not text.endswith(b"\n")
    begin = _BEGIN_UNENDED if unended else _BEGIN
    return text + (b"\n" if unended else b"") + b"\n".join([begin, *ours, _END]) + b"\n"


def without_block(text: bytes, lines: Sequence[str]) -> bytes:
    """The text as it was. Lines that others wrote between the markers stay, below a section's head if they need one."""
    place = _place(text)
    if place is None:
        return text
    head, inner, tail = place
    ours = {line.encode() for line in lines}
    foreign = [line for line in inner[1:] if line not in ours]
    if foreign:
        section = [line for line in inner[1:] if line in ours and line.startswith(b"[")]
        return head + b"\n".join([*section, *foreign]) + b"\n" + tail
    return (head.removesuffix(b"\n") if inner[0] == _BEGIN_UNENDED and not tail else head) + tail


def has_block(text: bytes) -> bool:
    """Whether there are lines of ours."""
    return _place(text) is not None


def _place(text: bytes) -> tuple[bytes, list[bytes], bytes] | None:
    """What is before the block, its lines (the first marker and what follows, without the last), and what is after."""
    lines = text.split(b"\n")
    begin = next((i for i, line in enumerate(lines) if line in (_BEGIN, _BEGIN_UNENDED)), None)
    end = next((i for i, line in enumerate(lines) if line == _END and begin is not None and i > begin), None)
    if begin is None or end is None:
        return None
    head = b"".join(line + b"\n" for line in lines[:begin])
    return head, lines[begin:end], b"\n".join(lines[end + 1 :])
