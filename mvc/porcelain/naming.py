"""Names of lineages: renamed by the user, declared with --run, or given. Owns the choice, a function of the lineages.

A given name is two words chosen by the root's content, so it is the same in every repository that holds this run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

NameSource = Literal["given", "declared", "renamed"]


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split())


ADJECTIVES = _split("""
able agile airy amber ample ancient apt arctic ardent autumn azure balmy bold brave breezy bright brisk bronze calm
candid careful cedar cheerful civil clear clever coastal cobalt cool copper coral cosmic cozy crimson crisp curious
dapper daring dawn deep deft dewy distant dotted dusky eager early earnest eastern easy elder elegant ember even fabled
fair faithful fast festive fine firm first fleet floral fluent fond frank free fresh frosty gallant gentle gilded glad
glassy gleaming golden graceful grand green hardy harvest hazel hearty hidden high honest humble icy indigo inland ivory
jade jolly jovial keen kind lasting leafy level light lilac limber little lively loyal lucid lucky lunar maple marble
mellow merry mighty mild mint misty modest mossy neat nimble noble northern novel oaken ocean olive open opal patient
pearl pine placid plain playful pleasant plum polar polished prime proud quick quiet rapid rare ready regal robust rosy
round royal ruby rustic sage salty sandy satin scarlet secret serene shady sharp silent silken silver simple sleek slow
smooth snowy soft solar solid southern spry stable steady stellar still stout sturdy subtle summer sunny sure swift
tall tame tawny teal tender tidal tidy timber topaz tranquil trim true upland upper urban valiant vast velvet verdant
vernal vivid warm wary western wide wild willing windy winter wise witty wooden young zesty
""")
NOUNS = _split("""
acorn alder anchor antler apple arbor arch ash aspen aurora badger basin bay beacon beaver beech birch bison bloom
bluff boulder breeze briar bridge brook canopy canyon cape cascade castle cave cedar cliff cloud clover comet compass
condor coral cove crane creek crest crow cypress daisy dale dawn deer delta desert dove drift dune eagle echo elk elm
falcon fern field finch fjord flame flint forest fountain fox garden garnet geyser glacier glade glen gorge grain
granite grove gull gust harbor hare haven hawk hazel heath heron hill hollow horizon ibex inlet iris island ivy
jackal jasmine jasper jay juniper kelp kestrel kite lagoon lake lantern larch lark laurel ledge lemur lichen lily
linden lion lotus lynx magpie mallow maple marlin marsh marten meadow mesa mill mist moon moor moss moth mountain
needle nest nettle newt oak oasis orbit orca orchard orchid osprey otter owl oyster palm panda pass path peak pebble
pelican petal pier pine plain plateau plover pond poplar prairie puffin quail quarry quartz rain rapids raven reef
ridge river robin rook rose saddle sail sand sequoia shadow shale shell shore skylark slope snow sparrow spring spruce
squall star stone storm stream summit swallow swan swift tern thicket thistle thrush tide timber torrent trail trout
tulip tundra valley vine violet vista walnut warbler wave willow wind wolf wren yarrow yew
""")


@dataclass(frozen=True, slots=True)
class Unnamed:
    """What a lineage's name depends on. ``key`` is its root's content, ``renamed`` what the user called it.

    ``runs`` are the declared runs of its members.
    """

    key: str
    renamed: str | None
    runs: frozenset[str]


def choose_names(lineages: Sequence[Unnamed]) -> list[tuple[str, NameSource]]:
    """A name for each, no two alike. The user's names go first, then declared ones; ties by content."""
    taken: set[str] = set()
    names: dict[int, tuple[str, NameSource]] = {}
    order = sorted(range(len(lineages)), key=lambda index: (lineages[index].key, index))
    for index in order:
        renamed = lineages[index].renamed
        if renamed is not None:
            names[index] = (_free(_numbered(renamed), taken), "renamed")
    for index in order:
        if index not in names and len(lineages[index].runs) == 1:
            names[index] = (_free(_numbered(next(iter(lineages[index].runs))), taken), "declared")
    for index in order:
        if index not in names:
            names[index] = (_free(_words(lineages[index].key), taken), "given")
    return [names[index] for index in range(len(lineages))]


def _free(candidates: Iterable[str], taken: set[str]) -> str:
    name = next(candidate for candidate in candidates if candidate not in taken)
    taken.add(name)
    return name


def _numbered(name: str) -> Iterable[str]:
    yield name
    number = 2
    while True:
        yield f"{name}-{number}"
        number += 1


def _words(key: str) -> Iterable[str]:
    attempt = 0
    while True:
        digest = hashlib.blake2b(f"{key} {attempt}".encode(), digest_size=8).digest()
        first, second = int.from_bytes(digest[:4], "big"), int.from_bytes(digest[4:], "big")
        name = f"{ADJECTIVES[first % len(ADJECTIVES)]}-{NOUNS[second % len(NOUNS)]}"
        # when all pairs were used up, a number makes room
        yield name if attempt < 64 else f"{name}-{attempt}"
        attempt += 1
