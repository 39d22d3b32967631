"""How many other objects one may rest on. Owns these two numbers, which configs, writers and readers agree on."""

from __future__ import annotations

#: objects that may have to be read besides a tensor's own, unless a config says otherwise
KEYFRAME = 10
#: objects that have to be read besides one's own, at most, whatever a config or an object says
MAX_BASES = 64
