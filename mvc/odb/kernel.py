"""The inner loops that are in use: compiled from ``kernel.c`` where that could be built, else those of ``loops``. Owns
the choice alone; what they do is the same.
"""

from __future__ import annotations

from mvc.odb import loops

#: what the source beside this says of itself; what was built from another one is not used
_INTERFACE = 1

try:
    import mvc.odb._kernel as compiled

    COMPILED = compiled.INTERFACE == _INTERFACE
except ImportError:
    COMPILED = False

tally, split, join = (
    (compiled.tally, compiled.split, compiled.join) if COMPILED else (loops.tally, loops.split, loops.join)
)
