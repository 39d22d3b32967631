"""The populations of a paper's run: trained where they are missing, scaled as asked, held in memory once read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mvc.errors import MvcError
from mvc.papers.cards import Population
from mvc.papers.characteristics.outcome import ZooOutcome
from mvc.papers.characteristics.points import Points, lay_out
from mvc.zoo.data import Dataset
from mvc.zoo.grids import Grid
from mvc.zoo.growing import train_grid
from mvc.zoo.populations import read
from mvc.zoo.published import find_population
from mvc.zoo.sources import load_for
from mvc.zoo.train import Progress


@dataclass(frozen=True)
class Scale:
    """What is changed of the grids: seeds of every combination, models in all (a random sample), epochs."""

    seeds: int | None = None
    models: int | None = None
    epochs: int | None = None

    def of(self, name: str) -> Grid:
        """The population of that name at this scale; more models than it has are all of them."""
        grid = find_population(name, seeds=self.seeds, epochs=self.epochs)
        return grid if self.models is None or self.models >= grid.full_size else replace(grid, models=self.models)


class Populations:
    """A paper's populations by their names there, at one ``scale`` but for those that have their ``own``.

    ``where``: images for those that are not trained on mvc's own.
    """

    def __init__(
        self,
        zoos: tuple[Population, ...],
        out: Path,
        *,
        scale: Scale,
        own: Mapping[str, Scale] | None = None,
        where: Path | None,
        initial: bool,
    ) -> None:
        self._grids = {zoo.name: (own or {}).get(zoo.name, scale).of(zoo.zoo) for zoo in zoos}
        self._out, self._where, self._initial = out, where, initial
        self._data: dict[str, Dataset] = {}
        self._points: dict[str, Points] = {}
        self._outcomes: dict[str, ZooOutcome] = {}

    @property
    def data(self) -> str:
        """Names of the image sets that were used so far."""
        return ", ".join(dict.fromkeys(data.name for data in self._data.values()))

    def description(self, name: str) -> dict[str, Any]:
        """All that a population's weights depend on, as JSON takes it."""
        grid = self._grids[name]
        plain = asdict(grid) | {"base": grid.base.to_plain(), "axes": {axis: list(v) for axis, v in grid.axes.items()}}
        return plain | {"data": self._images(name).fingerprint(), "initial": self._initial}

    def points(self, name: str, progress: Progress | None = None) -> Points:
        """The population, trained as far as it is not. Raises InputError where its directory holds another one."""
        if name not in self._points:
            zoo = train_grid(self._grids[name], self._images(name), self._out / name, progress=progress)
            self._points[name] = lay_out(zoo, initial=self._initial)
        return self._points[name]

    def card(self, name: str) -> str:
        """The name that its weights go by, at every scale."""
        return self._grids[name].base.name

    def outcome(self, name: str) -> ZooOutcome | None:
        """Of a population as it lies there; None where it is not trained to its end. Nothing is trained."""
        if name not in self._outcomes and (points := self._there(name)) is not None:
            self._outcomes[name] = self._outcome(name, points)
        return self._outcomes.get(name)

    def _there(self, name: str) -> Points | None:
        if name in self._points:
            return self._points[name]
        try:
            return lay_out(read(self._out / name), initial=self._initial)
        except MvcError:
            return None

    def _outcome(self, name: str, points: Points) -> ZooOutcome:
        accuracy = float(points.accuracy.min()), float(points.accuracy.mean()), float(points.accuracy.max())
        return ZooOutcome(
            zoo=name,
            card=self.card(name),
            models=len(points.accuracy),
            left_out=points.left_out,
            checkpoints=points.checkpoints,
            weights=points.rows.shape[1],
            accuracy=accuracy,
        )

    def _images(self, name: str) -> Dataset:
        if name not in self._data:
            card = self._grids[name].base
            self._data[name] = load_for(card, None if card.data == "tetris" else self._where)
        return self._data[name]
