"""What the rules of `check` mean. Owns nothing but the order: the words are the catalogue's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mvc.drift import RULES, Rule, find_rule


@dataclass(frozen=True)
class ExplainResult:
    """Rules as the catalogue has them: severity and limit are the defaults, which a policy may change."""

    rules: tuple[Rule, ...]


def explain(names: Sequence[str] = ()) -> ExplainResult:
    """The rules of these ids or names, all of them without any. Raises InputError for one that there is not."""
    return ExplainResult(tuple(dict.fromkeys(map(find_rule, names)) if names else RULES.values()))
