"""What ``kernel.c`` is built as, where there is a compiler; ``loops`` says what these do."""

from typing import Final

from mvc.odb.loops import Terms
from mvc.odb.zstd import Buffer, Bytes

INTERFACE: Final[int]

def tally(first: Buffer, terms: Terms, /) -> tuple[int, ...]: ...
def split(values: Buffer, first: Buffer, second: Buffer, terms: Terms, planes: Bytes, /) -> tuple[int, ...]: ...
def join(
    planes: Bytes, counts: tuple[int, ...], first: Buffer, second: Buffer, terms: Terms, values: Bytes, /
) -> None: ...
