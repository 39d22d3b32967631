"""What users declare of lineages, as it stands in settings. Owns the keys; changes nothing."""

from __future__ import annotations

from collections.abc import Iterable

from mvc.index import SettingRow
from mvc.objects import GONE, ObjectId

#: ``name:<commit>`` → name of the lineage that this commit stands in
NAME = "name:"
#: ``pin:<commit>`` → a commit of the lineage that this commit belongs to
PIN = "pin:"


def names_of(settings: Iterable[SettingRow]) -> dict[ObjectId, str]:
    """Anchor → the name that its lineage was given."""
    return {ObjectId(row.key.removeprefix(NAME)): row.value for row in settings if row.key.startswith(NAME)}


def pins_of(settings: Iterable[SettingRow]) -> dict[ObjectId, ObjectId]:
    """Pinned commit → anchor."""
    return {ObjectId(row.key.removeprefix(PIN)): ObjectId(row.value) for row in settings if row.key.startswith(PIN)}


def gone_in(settings: Iterable[SettingRow]) -> dict[ObjectId, str]:
    """Commits whose tensors were given up → id of what is remembered of them."""
    return {ObjectId(row.key.removeprefix(GONE)): row.value for row in settings if row.key.startswith(GONE)}
