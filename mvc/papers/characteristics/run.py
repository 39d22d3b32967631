"""Runs a card of this protocol: populations trained, representations learned, probes fitted, all of it kept.

    embedders/     trained embedders (``learning``)
    cells/         what probes said of one representation of one population in one repeat (``keeping``)

Owns the sequence. What is kept is not done again: a run goes on where another one stopped, and tables share their
cells. A repeat has its own split of the models and its own training. Every choice is made on validation models; test
models are judged once, by probes that are fixed by then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mvc.embedding.probes import Rows, Split, split
from mvc.embedding.recipes import Recipe, find_recipe
from mvc.errors import InputError
from mvc.papers.characteristics.cards import CharacteristicsPaper, Representation, Row, Table
from mvc.papers.characteristics.keeping import PROTOCOL, Cells, Found, Measured, digest
from mvc.papers.characteristics.learning import learn
from mvc.papers.characteristics.measuring import rank, score
from mvc.papers.characteristics.outcome import (
    Cell,
    CharacteristicsOutcome,
    RowOutcome,
    TableOutcome,
    spread,
)
from mvc.papers.characteristics.points import Points
from mvc.papers.characteristics.populations import Populations
from mvc.papers.characteristics.representations import Encode, fit, statistics
from mvc.zoo.train import Progress

#: what a run leaves in the output directory, beside the results
KEPT = ("embedders", "cells")

Written = Callable[[CharacteristicsOutcome], None]


def run_paper(
    card: CharacteristicsPaper,
    populations: Populations,
    out: Path,
    *,
    tables: Sequence[str] = (),
    only: Sequence[str] = (),
    labels: Sequence[str] = (),
    repeats: int | None = None,
    minutes: float | None = None,
    kept: bool = False,
    before: Sequence[str] = (),
    progress: Progress | None = None,
    written: Written | None = None,
) -> CharacteristicsOutcome:
    """Measures the ``tables`` of ``card`` (all unless given), of them the rows on zoos ``only`` and of ``labels``.

    Rows that earlier runs kept of these tables and of those measured ``before`` are in the outcome as well, in whatever
    size they were measured. With ``kept`` there are no others: nothing is trained, measured or written.
    ``written`` is given the outcome so far after every measurement. Raises InputError, also where nothing is kept.
    """
    known("table", tables, card.numbers, card.name)
    known("zoo", only, [zoo.name for zoo in card.zoos], card.name)
    known("row", labels, list(dict.fromkeys(row.label for table in card.tables for row in table.rows)), card.name)

    def wanted(row: Row) -> bool:
        return (not only or row.zoo in only) and (not labels or row.label in labels)

    numbers = tables or (kept and before) or card.numbers
    chosen = [
        replace(table, rows=tuple(filter(wanted, table.rows))) for table in card.tables if table.number in numbers
    ]
    chosen = [table for table in chosen if table.rows]
    if not chosen:
        raise InputError("none of these tables has such a row on these zoos")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # a run takes one core, whatever else the machine is doing
    try:
        named = {table.number for table in chosen}.union(before)
        shown = chosen if kept else [table for table in card.tables if table.number in named]
        run = _Run(card, populations, out, () if kept else chosen, shown, repeats, minutes, progress)
        for _ in run.measure():
            if written is not None:
                written(run.outcome())
    finally:
        torch.set_num_threads(threads)
    outcome = run.outcome()
    if not outcome.tables:
        raise InputError(f"{str(out)!r} keeps none of these tables' rows", hint="measure them first, without --kept")
    return outcome


def known(what: str, asked: Sequence[str], names: Sequence[str], paper: str) -> None:
    """Raises InputError where something ``asked`` for is none of the paper's ``names``."""
    unknown = sorted(set(asked) - set(names))
    if unknown:
        raise InputError(f"{paper} has no {what} {unknown[0]!r}", hint=f"one of: {', '.join(map(repr, names))}")


class _Run:
    def __init__(
        self,
        card: CharacteristicsPaper,
        populations: Populations,
        out: Path,
        asked: Sequence[Table],
        shown: Sequence[Table],
        repeats: int | None,
        minutes: float | None,
        progress: Progress | None,
    ) -> None:
        self.card, self.populations, self.out, self.shown = card, populations, out, shown
        self.repeats, self.minutes, self.progress = repeats or card.repeats, minutes or card.minutes, progress
        # every row once before any of them again: a run that is stopped has whole tables first
        self.plan = [(repeat, row) for repeat in range(self.repeats) for table in asked for row in table.rows]
        self.asked = {(table.number, row.label, row.zoo, row.beyond) for table in asked for row in table.rows}
        self.cells = Cells(out / "cells")
        self.missing: dict[str, str] = {}  # by label
        self._last: tuple[str, Encode, Rows, float | None] | None = None  # what was encoded last, and is likely again

    @property
    def done(self) -> int:
        return sum(self.cells.get(self._identity(row, repeat)) is not None for repeat, row in self.plan)

    def measure(self) -> Iterator[None]:
        """Does what is missing; yields after each measurement."""
        for repeat, row in self.plan:
            identity = self._identity(row, repeat)
            if self.cells.get(identity) is not None:
                continue
            self._tell(row, 0.0)
            try:
                self.cells.put(identity, self._cell(row, repeat))
            except InputError as error:
                if error.code != "missing-extra":
                    raise
                self.missing[row.label] = str(error)
                continue
            yield

    def _cell(self, row: Row, repeat: int) -> Measured:
        points = self.populations.points(row.zoo, self.progress)
        parts = split(points.owners, repeat)
        encode, x, minutes = self._represented(row, points, parts, repeat)
        if row.beyond is None:
            scores = score(x, points, parts)
            test = {name: found.test for name, found in scores.items()}
            validation = {name: found.validation for name, found in scores.items()}
            return Measured(test, validation, x.shape[1], minutes)
        other = self.populations.points(row.beyond, self.progress)
        judged = split(other.owners, repeat).test
        there = _joined(encode(other.rows[judged]), other.rows[judged], other, row.representation)
        truth = {name: column[judged] for name, column in other.numbers.items()}
        return Measured(rank(x, points, parts, there, truth), {}, x.shape[1], minutes)

    def _represented(self, row: Row, points: Points, parts: Split, repeat: int) -> tuple[Encode, Rows, float | None]:
        """How rows are encoded; all of ``points`` represented, [n, k]; minutes of training."""
        encode: Encode
        alone = replace(row.representation, statistics=False)  # s(W) is joined afterwards: one training serves both
        key = digest(self._identity(replace(row, representation=alone, beyond=None), repeat))
        if self._last is None or self._last[0] != key:
            minutes = None
            if alone.kind == "embedding":
                learned = learn(
                    points,
                    parts,
                    recipe_of(alone, repeat),
                    self.out / "embedders" / key,
                    minutes=self.minutes * row.longer,
                    progress=lambda share: self._tell(row, share),
                )
                encode, minutes = learned.embedder.embed, learned.minutes
            else:
                shapes, components = points.shapes.values(), self.card.components
                encode = fit(alone.kind, points.rows[parts.train], shapes, components=components, seed=repeat)
            self._last = key, encode, encode(points.rows), minutes
        _, encode, encoded, minutes = self._last
        return encode, _joined(encoded, points.rows, points, row.representation), minutes

    def _described(self, row: Row) -> dict[str, Any]:
        """What a row is, whatever its populations, its repeat and the minutes of its training are."""
        learned: dict[str, Any] = {"components": self.card.components}
        if row.representation.kind == "embedding":
            recipe = recipe_of(row.representation, 0).to_json()
            learned = {"recipe": {key: value for key, value in recipe.items() if key not in ("name", "about", "seed")}}
        return {
            "protocol": PROTOCOL,
            "representation": row.representation.kind,
            "statistics": row.representation.statistics,
            **learned,
        }

    def _identity(self, row: Row, repeat: int) -> dict[str, Any]:
        """All that a cell's numbers depend on."""
        described = self._described(row)
        if "recipe" in described:
            described["recipe"]["seed"] = recipe_of(row.representation, repeat).seed
            described["minutes"] = self.minutes * row.longer
        return described | {
            "zoo": self.populations.description(row.zoo),
            "beyond": None if row.beyond is None else self.populations.description(row.beyond),
            "repeat": repeat,
        }

    def _tell(self, row: Row, share: float) -> None:
        if self.progress is not None:
            self.progress(f"{row.zoo}: {row.label}", int(100 * (self.done + share)), 100 * len(self.plan))

    def outcome(self) -> CharacteristicsOutcome:
        tables = tuple(one for one in map(self._table, self.shown) if one.rows)
        repeats, minutes = (self.repeats, self.minutes) if self.plan else _most(tables)
        names = dict.fromkeys(name for one in tables for row in one.rows for name in (row.zoo, row.beyond) if name)
        return CharacteristicsOutcome(
            paper=self.card.name,
            title=self.card.title,
            data=self.populations.data,
            repeats=repeats,
            minutes=minutes,
            done=self.done,
            planned=len(self.plan),
            zoos=tuple(known for name in names if (known := self.populations.outcome(name)) is not None),
            tables=tables,
            notes=self.card.notes,
        )

    def _table(self, table: Table) -> TableOutcome:
        each = [(row, self._found(table, row)) for row in table.rows]
        rows = [(row, found) for row, found in each if found is not None]
        targets = table.targets or tuple(
            dict.fromkeys(name for _, found in rows for one in found.repeats for name in one.test)
        )
        return TableOutcome(
            table.number, table.title, table.measure, targets, tuple(self._row(*one, targets) for one in rows)
        )

    def _found(self, table: Table, row: Row) -> Found | None:
        """A row that was asked for as it was asked for, found or not; of any other what is kept."""
        if (table.number, row.label, row.zoo, row.beyond) in self.asked:
            repeats = (self.cells.get(self._identity(row, repeat)) for repeat in range(self.repeats))
            limit = self.minutes * row.longer if row.representation.kind == "embedding" else None
            return Found(tuple(one for one in repeats if one is not None), limit)
        beyond = None if row.beyond is None else self.populations.card(row.beyond)
        return self.cells.whatever(self._described(row), self.populations.card(row.zoo), beyond)

    def _row(self, row: Row, kept: Found, targets: Sequence[str]) -> RowOutcome:
        found = kept.repeats
        printed = row.printed or {}
        trained = [one.minutes for one in found if one.minutes is not None]
        embedding = row.representation.kind == "embedding"
        return RowOutcome(
            label=row.label,
            zoo=row.zoo,
            beyond=row.beyond,
            width=found[0].width if found else None,
            recipe=recipe_of(row.representation, 0).to_json() if embedding else None,
            minutes=float(np.mean(trained)) if trained else None,
            limit=kept.limit,
            missing=self.missing.get(row.label),
            in_paper=row.printed is not None,
            cells=tuple(
                Cell(
                    target,
                    spread([one.test[target] for one in found if target in one.test]),
                    spread([one.validation[target] for one in found if target in one.validation]),
                    printed.get(target),
                )
                for target in targets
            ),
        )


def _most(tables: Sequence[TableOutcome]) -> tuple[int, float | None]:
    """Most repeats of a row, and the longest that a training was given."""
    rows = [row for table in tables for row in table.rows]
    repeats = (len(cell.measured.values) for row in rows for cell in row.cells if cell.measured is not None)
    return max(repeats, default=0), max((row.limit for row in rows if row.limit is not None), default=None)


def recipe_of(representation: Representation, repeat: int) -> Recipe:
    """An embedding's recipe with its changes, seeded by the repeat."""
    return replace(find_recipe(representation.recipe), **representation.changes, seed=repeat)


def _joined(encoded: Rows, weights: Rows, points: Points, representation: Representation) -> Rows:
    if not representation.statistics:
        return encoded
    return np.concatenate([encoded, statistics(weights, points.shapes.values())], axis=1)
