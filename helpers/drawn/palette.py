"""The drawn mini set: the colours of each light and weather, and the helpers that its painters share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from helpers.drawn.canvas import WHITE, Colour
from helpers.drawn.scenes import Scene

HORIZON = 0.62  # the line between land and water


@dataclass(frozen=True)
class Palette:
    sky: tuple[Colour, Colour, Colour]  # above, in the middle, at the horizon
    far: Colour  # the ridge farthest away
    near: Colour  # the nearest
    ground: Colour
    water: Colour
    veil: Colour  # mist and distance
    kept: tuple[float, float, float]  # the light on near things, with `added`: see Canvas
    added: tuple[float, float, float]


PALETTES = {
    "dawn": Palette(
        ((168, 190, 214), (236, 212, 206), (252, 206, 178)),
        (178, 176, 198), (112, 118, 142), (170, 164, 134), (216, 204, 206), (248, 226, 214),
        (0.92, 0.86, 0.86), (14, 8, 12),
    ),
    "day": Palette(
        ((156, 196, 216), (214, 228, 226), (246, 242, 226)),
        (152, 184, 192), (72, 116, 122), (176, 184, 132), (182, 212, 216), (244, 244, 234),
        (1.0, 1.0, 1.0), (0, 0, 0),
    ),
    "dusk": Palette(
        ((112, 92, 132), (226, 136, 98), (252, 192, 98)),
        (164, 106, 112), (84, 58, 82), (134, 100, 78), (222, 150, 110), (246, 190, 136),
        (0.84, 0.68, 0.64), (20, 6, 4),
    ),
    "night": Palette(
        ((22, 32, 66), (42, 58, 102), (82, 98, 140)),
        (62, 76, 118), (30, 40, 72), (48, 60, 72), (54, 70, 112), (98, 112, 150),
        (0.62, 0.64, 0.76), (6, 10, 24),
    ),
}  # fmt: skip
GREYS = {"mist": 0.2, "rain": 0.6, "snow": 0.65}  # the share of grey in the distance, 0 to 1


def weathered(palette: Palette, weather: str) -> Palette:
    """The palette with its distance greyed by mist, rain or snow; snow whitens the ground."""
    share = GREYS.get(weather, 0.0)
    dim = 1.0 if weather == "mist" else 0.86  # falling snow and rain darken the sky

    def greyed(colour: Colour) -> Colour:
        return blend(colour, [sum(palette.veil) / 3 * dim] * 3, share)

    veil, even = greyed(palette.veil), sum(palette.kept) / 3
    return replace(
        palette,
        sky=tuple(map(greyed, palette.sky)),
        far=greyed(palette.far),
        near=greyed(palette.near),
        water=greyed(palette.water),
        veil=veil,
        ground=blend(veil, WHITE, 0.7) if weather == "snow" else palette.ground,
        kept=tuple(kept + (even - kept) * share for kept in palette.kept),
    )


def blend(one: Sequence[float], other: Sequence[float], share: float) -> Colour:
    return tuple(round(a + (b - a) * share) for a, b in zip(one, other, strict=True))


def chance(scene: Scene, part: str) -> np.random.Generator:
    """Chance of its own for each part, so that another bird does not move the mountains."""
    return np.random.default_rng([scene.seed, *part.encode()])


def smooth(values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Rough values (h, w) drawn out to a larger shape, without corners."""
    return np.asarray(Image.fromarray(values.astype(np.float32)).resize(shape[::-1], Image.Resampling.BICUBIC))
