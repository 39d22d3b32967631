"""A pickle as a dead tree of values. Owns running pickle opcodes without importing, calling or building anything.

A global becomes a name, a call becomes a Record of what would have been called, a persistent id stays an id. Nothing
from a file is ever hashed except text that Python's own randomised hash protects, nor compared, nor executed.
Refuses malformed opcodes, extension codes, out-of-band buffers, and pickles beyond the limits below.
"""

from __future__ import annotations

import pickletools
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any, cast

from mvc.errors import FormatError
from mvc.formats.pickle_stream import PickleStream
from mvc.formats.source import printable

MAX_OPCODES = 12_000_000
_HINT = "the file is damaged or hostile; save the weights as safetensors"


@dataclass(frozen=True, slots=True, eq=False)
class Global:
    """What a pickle would have imported."""

    module: str
    name: str

    @property
    def path(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(frozen=True, slots=True, eq=False)
class Persistent:
    """What a pickle would have asked its reader for."""

    id: Any


@dataclass(slots=True, eq=False)
class Dict:
    """A dictionary as its pairs: keys are not hashed, since a file may choose keys that collide."""

    pairs: list[tuple[Any, Any]] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Record:
    """What a pickle would have called, with what; then what it would have put into the result."""

    call: Any
    args: Any
    state: Any = None
    pairs: list[tuple[Any, Any]] = field(default_factory=list)
    items: list[Any] = field(default_factory=list)

    @property
    def path(self) -> str:
        """Dotted name of what would have been called, or ''."""
        return self.call.path if isinstance(self.call, Global) else ""


def load_inert(stream: PickleStream) -> tuple[Any, list[Persistent]]:
    """The value of one pickle, dead, and every persistent id in it; the stream is left right after the pickle.

    Raises FormatError.
    """
    machine = _Machine()
    try:
        return machine.run(pickletools.genops(cast(IO[bytes], stream))), machine.persistents
    except FormatError:
        raise
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError, struct.error) as error:
        raise FormatError(f"a pickle is malformed: {printable(str(error))}", hint=_HINT) from None


_LITERALS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_SILENT = {"PROTO", "FRAME", "READONLY_BUFFER"}
_NUMBERS = "INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT"
_TEXTS = "STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8"
_BYTES = "BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8"
_VALUES = frozenset(f"{_NUMBERS} {_TEXTS} {_BYTES}".split(" "))
_PUTS = frozenset({"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"})
_GETS = frozenset({"GET", "BINGET", "LONG_BINGET"})


class _Machine:
    """Pickle's stack machine. Marks are kept as depths of the stack."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.persistents: list[Persistent] = []

    def run(self, opcodes: Iterator[tuple[pickletools.OpcodeInfo, Any, int | None]]) -> Any:
        stack = self.stack
        for count, (opcode, argument, _) in enumerate(opcodes):
            name = opcode.name
            if count >= MAX_OPCODES:
                raise FormatError(f"a pickle has more than {MAX_OPCODES} opcodes", hint=_HINT)
            if name in _VALUES:
                stack.append(argument)
            elif name in _PUTS:
                self.memo[len(self.memo) if name == "MEMOIZE" else argument] = self._top()
            elif name in _GETS:
                stack.append(self.memo[argument])
            elif name in _LITERALS:
                stack.append(_LITERALS[name])
            elif name == "MARK":
                self.marks.append(len(stack))
            elif name == "STOP":
                return self._pop()
            elif name not in _SILENT:
                step = getattr(self, f"_op_{name.lower()}", None)
                if step is None:
                    raise FormatError(f"a pickle uses {name}, which mvc does not read", hint=_HINT)
                step(argument)
        raise ValueError("no STOP")

    def _top(self) -> Any:
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise ValueError("stack underflow")
        return self.stack[-1]

    def _pop(self) -> Any:
        value = self._top()
        self.stack.pop()
        return value

    def _pop_mark(self) -> list[Any]:
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    # ---- stack

    def _op_pop(self, _: Any) -> None:
        if self.marks and self.marks[-1] == len(self.stack):
            self.marks.pop()
        else:
            self._pop()

    def _op_pop_mark(self, _: Any) -> None:
        self._pop_mark()

    def _op_dup(self, _: Any) -> None:
        self.stack.append(self._top())

    # ---- containers

    def _op_empty_tuple(self, _: Any) -> None:
        self.stack.append(())

    def _op_tuple(self, _: Any) -> None:
        self.stack.append(tuple(self._pop_mark()))

    def _op_tuple1(self, _: Any) -> None:
        self.stack.append((self._pop(),))

    def _op_tuple2(self, _: Any) -> None:
        second, first = self._pop(), self._pop()
        self.stack.append((first, second))

    def _op_tuple3(self, _: Any) -> None:
        third, second, first = self._pop(), self._pop(), self._pop()
        self.stack.append((first, second, third))

    def _op_empty_list(self, _: Any) -> None:
        self.stack.append([])

    _op_empty_set = _op_empty_list

    def _op_list(self, _: Any) -> None:
        self.stack.append(self._pop_mark())

    _op_frozenset = _op_list

    def _op_append(self, _: Any) -> None:
        self._extend([self._pop()])

    def _op_appends(self, _: Any) -> None:
        self._extend(self._pop_mark())

    _op_additems = _op_appends

    def _op_empty_dict(self, _: Any) -> None:
        self.stack.append(Dict())

    def _op_dict(self, _: Any) -> None:
        self.stack.append(Dict(_in_pairs(self._pop_mark())))

    def _op_setitem(self, _: Any) -> None:
        value, key = self._pop(), self._pop()
        self._update([(key, value)])

    def _op_setitems(self, _: Any) -> None:
        self._update(_in_pairs(self._pop_mark()))

    def _extend(self, items: list[Any]) -> None:
        target = self._top()
        if isinstance(target, list):
            target.extend(items)
        elif isinstance(target, Record):
            target.items.extend(items)
        else:
            raise ValueError("items for what is no list")

    def _update(self, pairs: list[tuple[Any, Any]]) -> None:
        target = self._top()
        if not isinstance(target, Dict | Record):
            raise ValueError("pairs for what is no dictionary")
        target.pairs.extend(pairs)

    # ---- what would have been imported or called

    def _op_global(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self.stack.append(Global(module, name))

    def _op_stack_global(self, _: Any) -> None:
        name, module = self._pop(), self._pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise ValueError("a global that is no name")
        self.stack.append(Global(module, name))

    def _op_persid(self, argument: str) -> None:
        self.persistents.append(Persistent(argument))
        self.stack.append(self.persistents[-1])

    def _op_binpersid(self, _: Any) -> None:
        self._op_persid(self._pop())

    def _op_reduce(self, _: Any) -> None:
        args, call = self._pop(), self._pop()
        self.stack.append(Record(call, args))

    _op_newobj = _op_reduce

    def _op_newobj_ex(self, _: Any) -> None:
        named, args, call = self._pop(), self._pop(), self._pop()
        self.stack.append(Record(call, (args, named)))

    def _op_inst(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self.stack.append(Record(Global(module, name), tuple(self._pop_mark())))

    def _op_obj(self, _: Any) -> None:
        call, *args = self._pop_mark()
        self.stack.append(Record(call, tuple(args)))

    def _op_build(self, _: Any) -> None:
        state = self._pop()
        target = self._top()
        if isinstance(target, Record):
            target.state = state if target.state is None else (target.state, state)
        elif not isinstance(target, Global | Persistent):
            raise ValueError("a state for what is no object")


def _in_pairs(flat: list[Any]) -> list[tuple[Any, Any]]:
    if len(flat) % 2:
        raise ValueError("a key without a value")
    return list(zip(flat[::2], flat[1::2], strict=True))
