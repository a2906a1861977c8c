"""The drawn mini set: a scene painted in the manner of Chinese ink and colour.

From far to near: sky, sun or moon, ridges, water, mist, banks, thing, plant, birds, rain or snow, paper.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageChops, ImageOps

from helpers.drawn.brushes import BIRD_DRAWINGS, PLANT_DRAWINGS, THING_DRAWINGS
from helpers.drawn.canvas import CRESCENT, LEAF, Canvas, ring
from helpers.drawn.landscape import AFLOAT, banks, land, mist, reflection, water
from helpers.drawn.palette import HORIZON, PALETTES, Palette, chance, smooth, weathered
from helpers.drawn.scenes import Scene


def paint(scene: Scene, size: int = 128) -> Image.Image:
    """Paint a scene.

    Args:
        size: the side of the picture in pixels. The same scene is the same picture at every size, only finer.

    Returns:
        The picture, (size, size), mode RGB.

    Raises:
        ValueError: the size is not positive, or the sun is to shine at night.
    """
    if size < 1:
        raise ValueError(f"paint: a picture has a side of at least one pixel, not {size}")
    if scene.light == "night" and scene.body == "sun":
        raise ValueError("paint: there is no sun at night")
    finer = max(2, -(-256 // size))  # drawn larger and averaged down, for smooth edges
    palette = weathered(PALETTES[scene.light], scene.weather)
    canvas = Canvas(
        sky(scene, palette, size * finer),
        palette.kept,
        palette.added,
        night=scene.light == "night",
        snow=scene.weather == "snow",
    )
    heavenly_body(canvas, scene)
    land(canvas, scene, palette)
    water(canvas, scene, palette)
    if scene.weather != "clear":
        mist(canvas, scene, palette)
    banks(canvas, scene, palette)
    THING_DRAWINGS[scene.thing](canvas, chance(scene, "thing"))
    if scene.thing in AFLOAT:
        reflection(canvas)
    PLANT_DRAWINGS[scene.plant](canvas, chance(scene, "plant"))
    if scene.bird:
        BIRD_DRAWINGS[scene.bird](canvas, chance(scene, "bird"))
    if scene.weather in FALLING:
        FALLING[scene.weather](canvas, chance(scene, "falling"))
    picture = ImageChops.multiply(canvas.image.reduce(finer), paper(size))
    return ImageOps.mirror(picture) if scene.seed % 2 else picture


def sky(scene: Scene, palette: Palette, side: int) -> Image.Image:
    """Three washes run into one another, and soft clouds. Painted small: there is nothing sharp in it."""
    y = np.linspace(0, 1, 48) / HORIZON
    stops = np.array(palette.sky, float)
    washes = np.stack([np.interp(y, (0, 0.55, 1), stops[:, channel]) for channel in range(3)], axis=1)
    clouds = smooth(chance(scene, "sky").normal(size=(12, 5)), (48, 48))
    shades = washes[:, None] + 7 * clouds[:, :, None]
    return Image.fromarray(shades.clip(0, 255).astype(np.uint8)).resize((side, side), Image.Resampling.BILINEAR)


def heavenly_body(canvas: Canvas, scene: Scene) -> None:
    rng = chance(scene, "body")
    x, y = rng.uniform(0.4, 0.46), rng.uniform(0.13, 0.18)
    if scene.light == "night" and scene.weather == "clear":
        for star in rng.random((40, 2)) * [1, 0.45]:
            canvas.disc(*star, 0.0035, (255, 255, 255), 0.7)
    if scene.body == "sun":
        colour, halo = SUNS[scene.light]
        low = 0.0 if scene.light == "day" else 0.1
        canvas.glow(x, y + low, 0.3, halo, 0.75)
        canvas.shape([x, y + low] + ring(40) * 0.068, colour, glows=True)
    elif scene.body == "full moon":
        canvas.glow(x, y, 0.28, (226, 228, 214), 0.6)
        canvas.shape([x, y] + ring(40) * 0.075, (252, 246, 220), glows=True)
        canvas.shape([x + 0.02, y - 0.015] + ring(16) * [0.022, 0.016], (232, 224, 196), glows=True)
    elif scene.body == "crescent moon":
        canvas.glow(x, y, 0.2, (226, 228, 214), 0.4)
        canvas.shape([x, y] + CRESCENT @ TILT * 0.078, (253, 246, 214), glows=True)


SUNS = {  # its disc and its halo
    "dawn": ((226, 84, 66), (255, 226, 190)),
    "day": ((255, 206, 92), (255, 244, 196)),
    "dusk": ((236, 66, 34), (255, 206, 110)),
}
TILT = np.array([[0.64, 0.77], [-0.77, 0.64]])  # the crescent leans


def rain(canvas: Canvas, rng: np.random.Generator) -> None:
    places, lengths = rng.uniform(-0.05, 1, (165, 2)), rng.uniform(0.06, 0.11, 165)
    light, dark = (250, 252, 255), (60, 70, 90)  # the one is seen before trees, the other before the sky
    canvas.stamp(LEAF * [1, 0.17], places, lengths, 1.3, [light, light, dark], 0.6)


def snow(canvas: Canvas, rng: np.random.Generator) -> None:
    for x, y, size in zip(rng.random(130), rng.random(130), rng.uniform(0.005, 0.012, 130), strict=True):
        canvas.draw.ellipse(
            tuple(canvas.side * edge for edge in (x - size, y - size, x + size, y + size)), fill=(255, 255, 255, 225)
        )


FALLING = {"rain": rain, "snow": snow}


@lru_cache(maxsize=8)
def paper(size: int) -> Image.Image:
    """Rice paper, mode RGB: warm, with fine fibres. One sheet for all pictures of a size."""
    rng = np.random.default_rng(0)
    fibres = smooth(rng.normal(size=(128, 40)), (256, 256)) + smooth(rng.normal(size=(40, 128)), (256, 256))
    tone = np.array([252, 249, 240]) + 2.2 * fibres[:, :, None]
    return Image.fromarray(tone.clip(0, 255).astype(np.uint8)).resize((size, size), Image.Resampling.BILINEAR)
