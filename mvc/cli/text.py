"""How single values look in a terminal: names, ids, numbers, bars. Every name goes through ``escape``."""

from __future__ import annotations

import math
import re
import textwrap
import unicodedata
from collections.abc import Iterable, Sequence

from mvc.escaping import escape as escape

_SHORT = 8
#: whatever may not take exactly one column: not letters of Latin scripts, nor what mvc itself draws with
_ODD = re.compile(r"[^\u0000-\u02ff\u2010-\u2027\u2190-\u22ff\u2500-\u259f]")


def width(text: str) -> int:
    """Columns that escaped text takes: wide characters count twice, combining marks not at all."""
    if text.isascii() or _ODD.search(text) is None:
        return len(text)
    return sum(0 if _joins(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _joins(char: str) -> bool:
    """Whether a character is drawn over the one before it: marks, emoji's variation selectors, vowels of Hangul."""
    return unicodedata.category(char) in ("Mn", "Me") or "\u1160" <= char <= "\u11ff"


def fit(text: str, columns: int, *, keep: str = "end") -> str:
    """Escaped text cut to ``columns`` with an ellipsis; ``keep`` says which end matters ("start", "end", "both")."""
    if width(text) <= columns:
        return text
    room = max(0, columns - 1)
    if keep == "start":
        return _take(text, room) + "…"
    if keep == "end":
        return "…" + _take_last(text, room)
    head = room // 2
    return _take(text, head) + "…" + _take_last(text, room - head)


def fit_path(path: str, columns: int) -> str:
    """An escaped path cut to ``columns``: directories first, then what its name ends with, then the name's middle."""
    name = path.rpartition("/")[2]
    if width(name) + 1 <= columns:
        return fit(path, columns)
    stem = name.rpartition(".")[0] or name
    return f"{stem}…" if width(stem) + 1 <= columns else fit(stem, columns, keep="both")


def wrapped(text: str, columns: int | None, indent: str = "", later: str | None = None) -> list[str]:
    """Escaped prose in lines of so many ``columns``, in one where that is None: what is piped is for `grep`. ``later``:
    the indent of all lines but the first."""
    if columns is None:
        return [indent + text]
    rest = indent if later is None else later
    return textwrap.wrap(
        text, max(columns, len(rest) + 16), initial_indent=indent, subsequent_indent=rest, break_on_hyphens=False
    )


def fit_name(text: str, columns: int) -> str:
    """An escaped dotted name cut to ``columns``: its long parts first, and numbers last, so that layers stay apart."""
    parts = re.split(r"([./])", text)
    for most in range(max(map(len, parts)), 2, -1):
        short = "".join(part if len(part) <= most else f"{_take(part, most - 1)}…" for part in parts)
        if width(short) <= columns:
            return short
    return fit(text, columns, keep="both")


def _take(text: str, columns: int) -> str:
    used, taken = 0, []
    for char in text:
        used += width(char)
        if used > columns:
            break
        taken.append(char)
    return "".join(taken)


def _take_last(text: str, columns: int) -> str:
    """The end of a text, which begins with no mark that belongs to what is cut off."""
    taken = _take(text[::-1], columns)[::-1]
    return taken[next((i for i, char in enumerate(taken) if not _joins(char)), len(taken)) :]


def pad(text: str, columns: int, *, right: bool = False) -> str:
    """Text filled with spaces to ``columns``; ``right`` aligns it right."""
    fill = " " * max(0, columns - width(text))
    return fill + text if right else text + fill


def short(object_id: str | None) -> str:
    """The first digits of an id."""
    return escape(object_id or "")[:_SHORT]


def moment(time: str) -> str:
    """``2026-11-22 01:42:26``, of a time as it is recorded, which is UTC."""
    return escape(time[:19].replace("T", " "))


def count(number: int, noun: str) -> str:
    """``1 tensor``, ``2,160 weights``: the noun's plural is made with s."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def number(value: float | None, digits: int = 3) -> str:
    """A figure with so many significant digits, "–" for None."""
    if value is None:
        return "–"
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else "-∞"
    if value == 0:
        return "0"
    if value == int(value) and abs(value) < 10**9:
        return str(int(value))
    size = math.floor(math.log10(abs(value)))
    if -4 <= size < 6:
        return f"{value:.{max(0, digits - 1 - size)}f}"
    return f"{value:.{digits - 1}e}"


def percent(value: float | None) -> str:
    """0.123 → 12 %, small ones with a decimal; what is not quite nothing or everything never reads 0 % or 100 %."""
    if value is None:
        return "–"
    if 0 < abs(value) < 0.001:
        return "<0.1 %" if value > 0 else ">-0.1 %"
    if 0.995 <= value < 1:
        return ">99 %"
    return f"{100 * value:.1f} %" if abs(value) < 0.0995 else f"{100 * value:.0f} %"


def size(nbytes: int) -> str:
    """4.9 MB, in powers of 1,000 as disks are sold and du -h --si prints."""
    value = float(nbytes)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            return f"{nbytes:,} B" if unit == "B" else f"{value:.3g} {unit}"
        value /= 1000
    raise AssertionError


def bar(value: float | None, largest: float, columns: int = 8) -> str:
    """A bar of eighths, ``columns`` wide at ``largest``, never invisible for a value above zero."""
    if value is None or not math.isfinite(value) or largest <= 0 or value <= 0:
        return " " * columns
    eighths = max(1, round(8 * columns * min(1.0, value / largest)))
    full, rest = divmod(eighths, 8)
    return ("█" * full + (" ▏▎▍▌▋▊▉"[rest] if rest else "")).ljust(columns)


def spark(values: Sequence[float]) -> str:
    """A column for each value, as high as it is beside the largest; one below zero is a minus, zero is blank."""
    largest = max((value for value in values if math.isfinite(value)), default=0.0)
    return "".join(
        "-"
        if value < 0
        else " "
        if not value or largest <= 0
        else "▁▂▃▄▅▆▇█"[max(0, math.ceil(8 * value / largest) - 1)]
        for value in values
    )


def columns(rows: Sequence[Sequence[str]], right: Iterable[int] = ()) -> list[str]:
    """Rows of escaped cells, aligned; the columns numbered in ``right`` align right. The last one is not filled."""
    numeric = set(right)
    widths = [max(width(row[i]) for row in rows) for i in range(len(rows[0]))] if rows else []
    return ["  ".join(pad(cell, widths[i], right=i in numeric) for i, cell in enumerate(row)).rstrip() for row in rows]
