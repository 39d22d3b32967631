"""Units of plain chains of layers. Owns the reading of names and shapes as one chain; reads no values.

Fully connected and convolutional layers with biases and normalisation vectors, also across the flattening of channels
into a fully connected layer's inputs. None wherever names and shapes leave more than one reading (skip connections,
groups, recurrent weights, layers that could stand in either order): a wrong spec is worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from mvc.geometry.modules import Layer, Writer, layers_and_vectors, modules_of, numbers, reads, units_of
from mvc.geometry.permutations import PermutationSpec, Shapes

#: chains looked at before names and shapes count as ambiguous
_TRIES = 10_000


def chain(shapes: Shapes) -> PermutationSpec | None:
    """The spec of these tensors (running statistics may be among them); None where there is none or it is ambiguous."""
    modules = modules_of(shapes)
    found = layers_and_vectors(modules)
    if found is None or any(len(numbers(name)) > 1 for name in modules):  # repeated blocks: there may be skips
        return None
    layers, vectors = found
    ordered = only_chain(layers)
    if ordered is None or len(ordered) < 2:
        return None
    owners = owners_of(vectors, ordered)
    if owners is None:
        return None
    return PermutationSpec(
        tuple(
            units_of(modules, layer.out, [writer(layer, owners)], [reads(reader, layer.out)])
            for layer, reader in pairwise(ordered)
        )
    )


def only_chain(layers: Sequence[Layer]) -> tuple[Layer, ...] | None:
    """The one order in which every layer reads the one before and numbered names count up; None if not exactly one."""
    tries = 0

    def chains(done: tuple[Layer, ...], left: frozenset[Layer]) -> Iterator[tuple[Layer, ...]]:
        nonlocal tries
        tries += 1
        if not left:
            yield done
        for layer in sorted(left, key=lambda one: one.name):
            if tries > _TRIES or (done and not follows(done[-1], layer)):
                continue
            stem, number = _place(layer.name)
            rivals = [_place(other.name) for other in left if other is not layer]
            if number is None or all(other != stem or (n or 0) > number for other, n in rivals):
                yield from chains((*done, layer), left - {layer})

    found = chains((), frozenset(layers))
    first, second = next(found, None), next(found, None)
    return first if second is None and tries <= _TRIES else None


def follows(layer: Layer, reader: Layer) -> bool:
    """Whether the reader's inputs can be the layer's outputs, flattened or not."""
    if layer.conv and not reader.conv:
        return reader.into % layer.out == 0
    return layer.conv == reader.conv and reader.into == layer.out


def owners_of(vectors: dict[str, int], ordered: Sequence[Layer]) -> dict[str, str] | None:
    """Normalisation → the layer whose outputs it normalises; None where one has none or several."""
    owners = {name: _owner(name, size, ordered) for name, size in vectors.items()}
    found = {name: owner for name, owner in owners.items() if owner is not None}
    return found if len(found) == len(owners) else None


def writer(layer: Layer, owners: dict[str, str]) -> Writer:
    return Writer(layer.name, tuple(name for name, owner in owners.items() if owner == layer.name))


def _place(name: str) -> tuple[str, int | None]:
    """A name without its number, and the number."""
    found = numbers(name)
    if not found:
        return name, None
    return ".".join(re.sub(r"\d+$", "#", part) for part in name.split(".")), found[0][1]


def _owner(name: str, size: int, ordered: Sequence[Layer]) -> str | None:
    """The layer whose outputs these vectors belong to: by number, else by being the only one of its width."""
    stem, number = _place(name)
    if number is not None:
        places = [(_place(one.name), one) for one in ordered]
        before = [(n, one) for (other, n), one in places if other == stem and n is not None and n < number]
        named = [max(before, key=lambda row: row[0])[1]] if before else [one for (_, n), one in places if n == number]
        if named:
            return named[0].name if len(named) == 1 and named[0].out == size else None
    wide = [one for one in ordered if one.out == size]
    return wide[0].name if len(wide) == 1 and ordered[0].into != size else None
