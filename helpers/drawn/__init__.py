"""The mini set: landscapes that are drawn from a seed, with English and Chinese captions.

A scene is a handful of words; the painter turns it into a picture, the captions turn it into sentences. So notebook 01
has a set of pairs that needs no download, and whose truth is known.

Read in this order:
    scenes: the parts of a scene, all sensible scenes, and their splits.
    captions: sentences about a scene, in both languages.
    painter: a scene becomes a picture, from far to near.
    landscape: sky, mountains, water and weather.
    brushes: plants, birds and things.
    canvas: the strokes that they are made of.
    palette: the colours of each light.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "scenes": [
            "BIRDS",
            "LANDS",
            "LIGHTS",
            "PAIRS",
            "PLANTS",
            "SPLITS",
            "Scene",
            "THINGS",
            "WATERS",
            "WEATHERS",
            "all_tellings",
            "sample_scenes",
            "split_of",
        ],
        "captions": ["captions_en", "captions_zh"],
        "painter": ["FALLING", "paint"],
        "brushes": ["BIRD_DRAWINGS", "PLANT_DRAWINGS", "THING_DRAWINGS"],
    },
)
