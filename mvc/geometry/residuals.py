"""Units of convolutional residual networks: channels inside blocks, and streams that run through skip connections.

A block is a numbered module whose layers are numbered in turn, with a normalisation of the same number behind each and
perhaps a projection on its skip connection: the layout of torchvision's ResNets and of most that follow them. The
channels of a stream are written by every block up to the next projection, so one order serves them all (Ainsworth,
Hayase and Srinivasa 2023, appendix). Reads no values; None where a module fits no place.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from mvc.geometry.chains import only_chain, owners_of, writer
from mvc.geometry.modules import Layer, Modules, Writer, layers_and_vectors, modules_of, numbers, reads, units_of
from mvc.geometry.permutations import Axis, PermutationSpec, Shapes, Units

_INNER = re.compile(r"(?:conv|fc|linear|lin)(\d+)$")
_NORM = re.compile(r"(?:bn|norm|gn|ln)(\d+)$")
_SKIP = re.compile(r"(?:downsample|shortcut|skip|projection)(?:\.\d+)?$")


@dataclass
class _Block:
    layers: dict[int, Layer] = field(default_factory=dict)
    norms: dict[int, str] = field(default_factory=dict)
    skips: list[Layer] = field(default_factory=list)
    skip_norms: list[str] = field(default_factory=list)

    @property
    def chain(self) -> tuple[Layer, ...]:
        return tuple(layer for _, layer in sorted(self.layers.items()))

    def writer(self, number: int) -> Writer:
        return Writer(self.layers[number].name, (self.norms[number],) if number in self.norms else ())


@dataclass
class _Stream:
    """Channels that several blocks write and read, and the units inside those blocks."""

    size: int
    writers: list[Writer]
    readers: list[Axis] = field(default_factory=list)
    inside: list[Units] = field(default_factory=list)


def residual(shapes: Shapes) -> PermutationSpec | None:
    """The spec of stem, blocks and head, all in one chain; None for any other layout."""
    modules = modules_of(shapes)
    found = layers_and_vectors(modules)
    if found is None:
        return None
    layers, vectors = found
    blocks: dict[str, _Block] = {}
    outside: list[Layer] = []
    for layer in layers:
        prefix, skip, number = _split(layer.name, _INNER)
        if skip:
            blocks.setdefault(prefix, _Block()).skips.append(layer)
        elif number is not None and numbers(prefix):
            blocks.setdefault(prefix, _Block()).layers[number] = layer
        else:
            outside.append(layer)
    loose: dict[str, int] = {}
    for name, size in vectors.items():
        prefix, skip, number = _split(name, _NORM)
        if prefix not in blocks:
            loose[name] = size
        elif skip:
            blocks[prefix].skip_norms.append(name)
        elif number is None:
            return None
        else:
            blocks[prefix].norms[number] = name
    if not blocks or not all(_sound(block, vectors) for block in blocks.values()):
        return None
    ends = _ends(outside)
    owners = None if ends is None else owners_of(loose, ends[0])
    if ends is None or owners is None:
        return None
    order = sorted(blocks, key=lambda prefix: [number for _, number in numbers(prefix)])
    return _joined(modules, [blocks[prefix] for prefix in order], ends, owners)


def _split(name: str, pattern: re.Pattern[str]) -> tuple[str, bool, int | None]:
    """A module's block, whether it stands on the block's skip connection, and its number in the block."""
    if skip := _SKIP.search(name):
        return name[: skip.start()].rstrip("."), True, None
    prefix, _, last = name.rpartition(".")
    match = pattern.match(last)
    return prefix, False, int(match[1]) if match else None


def _sound(block: _Block, vectors: dict[str, int]) -> bool:
    """Whether the block's layers read each other in turn and its normalisations fit behind them."""
    if not block.layers or len(block.skips) > 1 or len(block.skip_norms) > len(block.skips):
        return False
    if not all(number in block.layers and vectors[norm] == block.layers[number].out
               for number, norm in block.norms.items()):  # fmt: skip
        return False
    chain = block.chain
    ends = (chain[0].into, chain[-1].out)
    skips = all((skip.into, skip.out) == ends for skip in block.skips)
    norms = all(vectors[norm] == block.skips[0].out for norm in block.skip_norms)
    return skips and norms and all(one.out == two.into and one.conv == two.conv for one, two in pairwise(chain))


def _ends(outside: Sequence[Layer]) -> tuple[tuple[Layer, ...], tuple[Layer, ...]] | None:
    """Layers before the blocks and behind them: convolutions and fully connected ones, or a first and a last one."""
    convs = only_chain([layer for layer in outside if layer.conv])
    dense = only_chain([layer for layer in outside if not layer.conv])
    if not convs and dense and len(dense) == 2:
        convs, dense = dense[:1], dense[1:]
    return (convs, dense) if convs and dense else None


def _joined(
    modules: Modules,
    blocks: Sequence[_Block],
    ends: tuple[tuple[Layer, ...], tuple[Layer, ...]],
    owners: dict[str, str],
) -> PermutationSpec | None:
    stem, head = ends
    stream = _Stream(stem[-1].out, [writer(stem[-1], owners)])
    streams = [stream]
    for block in blocks:
        layers, writers = block.chain, [block.writer(number) for number in sorted(block.layers)]
        if layers[0].into != stream.size:
            return None
        stream.inside += _inside(modules, layers, writers)
        stream.readers.append(reads(layers[0], stream.size))
        if block.skips:
            stream.readers.append(reads(block.skips[0], stream.size))
            stream = _Stream(layers[-1].out, [Writer(block.skips[0].name, tuple(block.skip_norms))])
            streams.append(stream)
        elif layers[-1].out != stream.size:  # the skip connection pads channels
            return None
        stream.writers.append(writers[-1])
    if head[0].into % stream.size:
        return None
    stream.readers.append(reads(head[0], stream.size))
    groups = _inside(modules, stem, [writer(layer, owners) for layer in stem])
    for one in streams:
        groups += [units_of(modules, one.size, one.writers, one.readers), *one.inside]
    groups += _inside(modules, head, [Writer(layer.name, ()) for layer in head])
    return PermutationSpec(tuple(groups))


def _inside(modules: Modules, layers: Sequence[Layer], writers: Sequence[Writer]) -> list[Units]:
    """Units between each layer and the next."""
    pairs = zip(pairwise(layers), writers, strict=False)
    return [units_of(modules, one.out, [write], [reads(two, one.out)]) for (one, two), write in pairs]
