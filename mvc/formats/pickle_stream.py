"""A stretch of a file, read as pickletools wants it. Owns the bounds: what a pickle asks for never exceeds its stretch.

Refuses stretches and lines longer than the limits below.
"""

from __future__ import annotations

from mvc.errors import FormatError
from mvc.formats.source import FileSource

MAX_BYTES = 512 * 1024 * 1024
MAX_LINE = 64 * 1024
_WINDOW = 1 << 20
_HINT = "the file is damaged or hostile; save the weights as safetensors"


class PickleStream:
    """A stretch of a file as genops reads it: in windows, with lines and lengths bounded."""

    def __init__(self, source: FileSource, offset: int, length: int) -> None:
        self._source = source
        self._at = offset
        self._end = offset + length
        self._window: bytes = b""
        self._base = offset

    def read(self, length: int, /) -> bytes:
        start = self._at - self._base
        window = self._window[start : start + length]
        if len(window) == length:  # nearly always: a pickle is read a few bytes at a time
            self._at += length
            return window
        length = min(length, self._end - self._at)
        self._window = bytes(self._source.read(self._at, min(max(length, _WINDOW), self._end - self._at)))
        self._base = self._at
        self._at += length
        return self._window[:length]

    def readline(self) -> bytes:
        begin = self._at
        line = self.read(MAX_LINE)
        cut = line.find(b"\n") + 1
        if not cut and len(line) == MAX_LINE:
            raise FormatError(f"a pickle has a line of more than {MAX_LINE} bytes", hint=_HINT)
        self._at = begin + (cut or len(line))
        return line[: cut or len(line)]

    def tell(self) -> int:
        return self._at
