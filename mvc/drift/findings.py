"""What a rule says of one checkpoint, as a value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RuleFinding:
    """``value`` and ``limit`` in the rule's own unit; ``probability`` under normal training, where one applies."""

    rule: str
    message: str
    value: float
    limit: float
    probability: float | None = None
    tensor: str | None = None
