"""What was measured, kept: a file for each repeat of a row, named by all that its numbers depend on.

Owns the files and how they are found again: by everything (`Cells.get`), or by what a row is whatever its population's
size and the minutes of its training were (`Cells.whatever`).
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mvc.zoo.files import write_whole

#: to be raised whenever the same identity would come to mean other numbers: a change of which models are left out, of
#: targets, probes, splits or scores, of a reduction, of the training loop or of how a recipe's fields are read.
#: Everything kept before, embedders as well, is then measured again.
PROTOCOL = 2

#: what else a cell depends on; the rest of its identity says which row it is of
_CIRCUMSTANCES = ("zoo", "beyond", "repeat", "minutes")


@dataclass(frozen=True)
class Measured:
    """One repeat of one row, as its file has it: by target, the score on test rows and, but for τ, on validation rows.

    ``minutes`` of training, if there was any.
    """

    test: Mapping[str, float]
    validation: Mapping[str, float]
    width: int
    minutes: float | None


@dataclass(frozen=True)
class Found:
    """Repeats of one row under the same circumstances. ``limit``: most minutes of its training, None without one."""

    repeats: tuple[Measured, ...]
    limit: float | None


class Cells:
    """The cells in ``folder``. Damaged ones, and those of an older protocol, are as good as not there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._exact: dict[str, Measured] = {}
        self._loose: dict[str, dict[str, dict[int, Measured]]] = defaultdict(lambda: defaultdict(dict))
        self._limits: dict[str, float | None] = {}
        for file in sorted(folder.glob("*.json")):
            try:
                content = json.loads(file.read_text())
                if content["what"]["protocol"] == PROTOCOL:
                    self._add(content["what"], Measured(**content["measured"]))
            except (OSError, ValueError, KeyError, TypeError):
                continue

    def get(self, identity: Mapping[str, Any]) -> Measured | None:
        return self._exact.get(digest(identity))

    def put(self, identity: Mapping[str, Any], measured: Measured) -> None:
        kept = {"what": identity, "measured": asdict(measured)}
        write_whole(self._folder / f"{digest(identity)}.json", json.dumps(kept, indent=1).encode())
        self._add(identity, measured)

    def whatever(self, row: Mapping[str, Any], zoo: str, beyond: str | None) -> Found | None:
        """What is kept of a row, by what it is (`described`), in whatever size of its populations (named as by their
        cards). Of several circumstances those with the most repeats, then with the longest training."""
        circumstances = self._loose.get(_loosely(row, zoo, beyond))
        if not circumstances:
            return None
        best = max(circumstances, key=lambda key: (len(circumstances[key]), self._limits[key] or 0.0))
        return Found(tuple(one for _, one in sorted(circumstances[best].items())), self._limits[best])

    def _add(self, identity: Mapping[str, Any], measured: Measured) -> None:
        self._exact[digest(identity)] = measured
        zoo, beyond = (None if one is None else str(one["base"]["name"]) for one in _places(identity))
        row = {name: value for name, value in identity.items() if name not in _CIRCUMSTANCES}
        if "recipe" in row:
            row["recipe"] = {name: value for name, value in row["recipe"].items() if name != "seed"}
        circumstances = digest({name: identity.get(name) for name in _CIRCUMSTANCES if name != "repeat"})
        self._loose[_loosely(row, str(zoo), beyond)][circumstances][int(identity["repeat"])] = measured
        self._limits[circumstances] = identity.get("minutes")


def _places(identity: Mapping[str, Any]) -> Sequence[Mapping[str, Any] | None]:
    return identity["zoo"], identity["beyond"]


def _loosely(row: Mapping[str, Any], zoo: str, beyond: str | None) -> str:
    return digest({**row, "zoo": zoo, "beyond": beyond})


def digest(identity: Mapping[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(identity, sort_keys=True).encode(), digest_size=12).hexdigest()
