"""The drawn mini set: the parts of a scene, and all sensible scenes.

`helpers.drawn.captions` describes them and `helpers.drawn.painter` paints them. Some pairs of plant and thing are kept
for validation, others for the test: a model that finds the willow beside the pagoda there has put together two things
that it has only ever seen apart.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product


@dataclass(frozen=True)
class Scene:
    light: str  # one of LIGHTS
    weather: str  # one of WEATHERS
    body: str  # one of BODIES; "" for no sun or moon
    land: str  # one of LANDS
    water: str  # one of WATERS; "" for a meadow
    plant: str  # one of PLANTS
    thing: str  # one of THINGS
    bird: str  # one of BIRDS; "" for none
    seed: int  # settles all that the captions leave open: positions, sizes, shades


LIGHTS = ("dawn", "day", "dusk", "night")
WEATHERS = ("clear", "mist", "rain", "snow")
BODIES = ("sun", "full moon", "crescent moon", "")
LANDS = ("mountains", "hills", "cliff", "peak")
WATERS = ("river", "lake", "waterfall", "")
PLANTS = ("willow", "pine", "plum blossom", "lotus", "bamboo", "maple", "reeds", "chrysanthemum")
THINGS = ("boat", "bridge", "pavilion", "pagoda", "lantern", "hut", "fisherman", "umbrella")
BIRDS = ("geese", "crane", "swallows", "")
SPLITS = ("train", "val", "test")

SKIES = {  # (light, weather): the bodies that can stand there; rain and snow hide them
    ("dawn", "clear"): ("sun",),
    ("day", "clear"): ("sun",),
    ("dusk", "clear"): ("sun", "crescent moon"),
    ("night", "clear"): ("full moon", "crescent moon"),
    ("dawn", "mist"): ("sun", ""),
    ("day", "mist"): ("",),
    ("dusk", "mist"): ("sun", ""),
    ("night", "mist"): ("full moon",),
}
PLACES = {  # the waters at which a plant or thing can stand, if not at all of them
    "lotus": ("river", "lake"),
    "boat": ("river", "lake"),
    "bridge": ("river", "lake"),
    "reeds": ("river", "lake"),
    "fisherman": ("river", "lake", "waterfall"),
}
NOT_IN_SNOW = {"willow", "lotus", "maple", "chrysanthemum", "swallows"}

# The split of each plant (row) and thing (column, in the order of THINGS): . train, v val, t test.
PAIRS = {
    "willow": "..vt..t.",
    "pine": "v..t...t",
    "plum blossom": ".t..v..v",
    "lotus": "..t...vt",
    "bamboo": "t...tv..",
    "maple": "tv...t..",
    "reeds": "...vt...",
    "chrysanthemum": ".vt...v.",
}


def sample_scenes(split: str, count: int, seed: int = 0) -> list[Scene]:
    """`count` scenes no two of which have the same parts, in an order that depends on `seed` alone.

    The first 100 of 300 scenes are those that one gets when asking for 100.

    Raises:
        ValueError: an unknown split, a negative count, or more scenes than there are tellings.
    """
    tellings = list(all_tellings(split))
    if not 0 <= count <= len(tellings):
        raise ValueError(f"sample_scenes: {split} has {len(tellings)} different scenes, not {count}")
    rng = random.Random(f"{split} {seed}")
    rng.shuffle(tellings)
    return [Scene(*telling, seed=rng.randrange(2**31)) for telling in tellings[:count]]


@cache
def all_tellings(split: str) -> tuple[tuple[str, ...], ...]:
    """Every sensible scene of a split, without its seed."""
    if split not in SPLITS:
        raise ValueError(f"split: {split!r} is none of {', '.join(SPLITS)}")
    skies = [(*sky, body) for sky in product(LIGHTS, WEATHERS) for body in SKIES.get(sky, ("",))]
    pairs = [pair for pair in product(PLANTS, THINGS) if split_of(*pair) == split]
    return tuple(
        (*sky, land, water, *pair, bird)
        for sky, land, water, pair, bird in product(skies, LANDS, WATERS, pairs, BIRDS)
        if sensible(sky[1], land, water, (*pair, bird))
    )


def split_of(plant: str, thing: str) -> str:
    """The one split in which the two meet."""
    return {".": "train", "v": "val", "t": "test"}[PAIRS[plant][THINGS.index(thing)]]


def sensible(weather: str, land: str, water: str, company: Sequence[str]) -> bool:
    """True if plant, thing and bird would be met in such a place and weather."""
    if weather == "snow" and not NOT_IN_SNOW.isdisjoint(company):
        return False
    if water == "waterfall" and land == "hills":  # nothing to fall from
        return False
    return all(water in PLACES.get(name, WATERS) for name in company)
