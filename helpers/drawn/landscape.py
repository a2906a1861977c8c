"""The drawn mini set: land, water, mist and the ground in front."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from helpers.drawn.brushes import GROUND, WATERLINE
from helpers.drawn.canvas import LEAF, WHITE, Canvas, Colour, curve
from helpers.drawn.palette import HORIZON, Palette, blend, chance, smooth
from helpers.drawn.scenes import Scene

AFLOAT = ("boat", "bridge")  # mirrored in the water; all other things stand on the ground


def land(canvas: Canvas, scene: Scene, palette: Palette) -> None:
    """Ridges from far to near, each fading downwards into mist."""
    rng = chance(scene, "land")
    for depth, heights in enumerate(LANDS[scene.land](rng)):
        colour = blend(palette.far, palette.near, depth / 2)
        wash(canvas, HORIZON - heights, colour, palette.veil)
        if depth or scene.land == "peak":
            wrinkles(canvas, rng, HORIZON - heights, blend(colour, (20, 24, 34), 0.35), scene.land != "hills")
        if canvas.snow:
            snow_cap(canvas, rng, HORIZON - heights)
    if scene.water == "waterfall":
        waterfall(canvas, chance(scene, "water"), palette)


X = np.linspace(0, 1, 121)  # places at which the heights of a ridge are measured


def tents(rng: np.random.Generator, centres: Sequence[float], heights: Sequence[float], width: float) -> np.ndarray:
    """Pointed peaks with rough slopes: heights above the horizon, (121,)."""
    slopes = [h * np.clip(1 - np.abs(X - c) / width, 0, 1) ** 1.25 for c, h in zip(centres, heights, strict=True)]
    rough = smooth(rng.normal(size=(1, 41)), (1, 121))[0]
    return np.max(slopes, axis=0) * (1 + 0.1 * rough) + 0.02


def mountains(rng: np.random.Generator) -> list[np.ndarray]:
    """Three ridges of pointed peaks, (121,) each."""
    far = tents(rng, rng.uniform(0, 0.06, 5) + np.arange(5) * 0.22, rng.uniform(0.22, 0.33, 5), 0.26)
    middle = tents(rng, rng.uniform(0.0, 0.12, 4) + np.arange(4) * 0.28, rng.uniform(0.2, 0.36, 4), 0.22)
    near = tents(rng, rng.uniform(0.0, 0.2, 3) + np.arange(3) * 0.38, rng.uniform(0.1, 0.2, 3), 0.22)
    return [far, middle, near]


def hills(rng: np.random.Generator) -> list[np.ndarray]:
    """Three rolling ridges, (121,) each."""

    def rolling(height: float, waves: float) -> np.ndarray:
        turns = rng.uniform(0, 2 * np.pi, 2)
        return height * (1 + 0.5 * np.sin(waves * X + turns[0]) + 0.2 * np.sin(2.3 * waves * X + turns[1]))

    return [rolling(0.14, 6), rolling(0.095, 8), rolling(0.05, 9)]


def cliff(rng: np.random.Generator) -> list[np.ndarray]:
    """Low peaks and a cliff that rises to the right, (121,) each."""
    far = tents(rng, [0.1, 0.4], rng.uniform(0.08, 0.13, 2), 0.3)
    edge = rng.uniform(0.55, 0.6)
    steps = np.interp(X, [edge, edge + 0.03, edge + 0.1, edge + 0.12, edge + 0.18, 1], [0, 0.2, 0.24, 0.4, 0.46, 0.5])
    return [far, steps * (1 + 0.03 * smooth(rng.normal(size=(1, 41)), (1, 121))[0]) - 0.01 * (steps == 0)]


def peak(rng: np.random.Generator) -> list[np.ndarray]:
    """One high peak and low ones before it, (121,) each."""
    low = tents(rng, [0.0, 0.35, 0.95], rng.uniform(0.05, 0.09, 3), 0.4)
    high = tents(rng, [rng.uniform(0.62, 0.7)], [rng.uniform(0.42, 0.47)], 0.27)
    return [high, low]


LANDS = {"mountains": mountains, "hills": hills, "cliff": cliff, "peak": peak}


def wash(canvas: Canvas, crest: np.ndarray, colour: Colour, veil: Colour) -> None:
    """Fill below the crest (121,), strong at the top and pale as the veil at the horizon."""
    side = canvas.side
    top, bottom = int(crest.min() * side), int((HORIZON + 0.02) * side)
    outline = np.stack([X * 1.02 * side, crest * side - top], 1).ravel().tolist()
    mask = Image.new("L", (side, bottom - top))
    ImageDraw.Draw(mask).polygon([0, bottom, *outline, side * 1.02, bottom], fill=255)
    share = np.linspace(0, 1, bottom - top)[:, None, None] ** 1.6 * 0.8
    column = np.array(colour) * (1 - share) + np.array(veil) * share
    strip = Image.fromarray(column.astype(np.uint8)).resize((side, bottom - top), Image.Resampling.NEAREST)
    canvas.image.paste(strip, (0, top), mask)


def wrinkles(canvas: Canvas, rng: np.random.Generator, crest: np.ndarray, colour: Colour, steep: bool) -> None:
    """Dry strokes down from the crest (121,), as rock is drawn in ink."""
    index = rng.integers(2, len(X) - 2, 60)
    heights = HORIZON - crest[index]
    places = np.stack([X[index], crest[index] + rng.uniform(0.02, 0.35, 60) * heights], axis=1)
    lengths = rng.uniform(0.12, 0.4, 60) * heights
    angles = np.pi / 2 + rng.normal(0, 0.16 if steep else 0.7, 60)
    high = heights > 0.05
    canvas.stamp(LEAF * [1, 0.5], places[high], lengths[high], angles[high], [colour], 0.3)


def snow_cap(canvas: Canvas, rng: np.random.Generator, crest: np.ndarray) -> None:
    """Snow of uneven depth below the crest (121,)."""
    depth = (HORIZON - crest) * np.interp(rng.random(121), [0, 1], [0.12, 0.5])
    canvas.shape(np.concatenate([np.stack([X, crest], 1), np.stack([X, crest + depth], 1)[::-1]]), WHITE, 0.85)


def waterfall(canvas: Canvas, rng: np.random.Generator, palette: Palette) -> None:
    """A rock wall in the middle, and water falling over it."""
    x, top = rng.uniform(0.47, 0.51), rng.uniform(0.27, 0.31)
    wall = HORIZON - np.interp(
        X, [x - 0.2, x - 0.13, x - 0.05, x + 0.05, x + 0.14, x + 0.22], [0, 0.26, 0.37, 0.36, 0.29, 0]
    )
    wall = wall * (1 + 0.02 * smooth(rng.normal(size=(1, 31)), (1, 121))[0])
    wash(canvas, wall, blend(palette.near, (30, 34, 44), 0.15), palette.veil)
    wrinkles(canvas, rng, wall, blend(palette.near, (20, 24, 34), 0.5), True)
    fall = [(x - 0.03, top), (x + 0.03, top), (x + 0.055, HORIZON + 0.03), (x - 0.055, HORIZON + 0.03)]
    canvas.shape(np.array(fall), WHITE, 0.92)
    for start in rng.uniform(-1, 1, 14):
        path = [(x + start * 0.026, top + rng.uniform(0, 0.1)), (x + start * 0.05, HORIZON)]
        canvas.line(path, 0.004, palette.water, 0.8)
    for puff in rng.normal((x, HORIZON + 0.01), (0.045, 0.01), (7, 2)):
        canvas.glow(*puff, rng.uniform(0.05, 0.09), blend(palette.veil, WHITE, 0.6), 0.6)


def water(canvas: Canvas, scene: Scene, palette: Palette) -> None:
    """Meadow or water below the horizon; still water mirrors what is above it."""
    side, top = canvas.side, round(HORIZON * canvas.side)
    field = Image.new("RGB", (1, 2))
    field.putdata([blend(palette.veil, palette.ground, 0.5), palette.ground])
    canvas.image.paste(field.resize((side, side - top), Image.Resampling.BILINEAR), (0, top))
    rng = chance(scene, "water")
    if not scene.water:
        grass = rng.uniform((0, HORIZON + 0.03), (1, 0.98), (90, 2))
        canvas.stamp(LEAF, grass, 0.024, -1.2, [blend(palette.ground, (60, 80, 40), 0.4)], 0.7)
        return
    mask = Image.new("L", (side, side - top))
    outline = (np.array(SHORES[scene.water]) - [0, HORIZON]) * side
    ImageDraw.Draw(mask).polygon(outline.ravel().tolist(), fill=255)
    mirrored = canvas.image.crop((0, 0, side, top)).resize((side // 4, (side - top) // 4), Image.Resampling.BOX)
    mirrored = ImageOps.flip(mirrored).filter(ImageFilter.BoxBlur((0, side / 240)))
    surface = Image.blend(mirrored, Image.new("RGB", mirrored.size, palette.water), 0.5)
    canvas.image.paste(surface.resize(mask.size, Image.Resampling.BILINEAR), (0, top), mask)
    for x, y in rng.uniform((0, HORIZON + 0.02), (1, 0.99), (46, 2)):
        length = 0.02 + 0.16 * (y - HORIZON)
        if mask.getpixel((int(x * side), int((y - HORIZON) * side))):
            canvas.line([(x, y), (x + length, y)], 0.003, WHITE, 0.32)


SHORES = {  # the outline of the water
    "lake": [(0, HORIZON), (1, HORIZON), (1, 1), (0, 1)],
    "river": [
        *curve((0.5, HORIZON), (0.78, 0.66), (0.2, 0.69), (0.2, 0.82), (0.12, 1)),
        (1, 1),
        *curve((1.1, 0.79), (0.46, 0.72), (0.95, 0.66), (0.54, HORIZON)),
    ],
    "waterfall": [
        *curve((0.42, HORIZON + 0.01), (0.3, 0.68), (0.5, 0.74), (0.3, 0.84), (0.3, 1)),
        *curve((0.78, 1), (0.7, 0.84), (0.74, 0.74), (0.64, 0.68), (0.57, HORIZON + 0.01)),
    ],
}  # fmt: skip


def mist(canvas: Canvas, scene: Scene, palette: Palette) -> None:
    """Bands of mist before the ridges and over the water: thick in mist, thin in rain and snow."""
    rng = chance(scene, "mist")
    y = np.linspace(0, 1, 40)[:, None]
    bands = np.exp(-(((y - HORIZON) / 0.15) ** 2)) + 0.7 * np.exp(-(((y - rng.uniform(0.36, 0.44)) / 0.06) ** 2))
    drifts = 1 + 0.45 * smooth(rng.normal(size=(10, 4)), (40, 40))
    thick = (bands * drifts).clip(0, 1) * (235 if scene.weather == "mist" else 110)
    side = canvas.side
    mask = Image.fromarray(thick.astype(np.uint8)).resize((side, side), Image.Resampling.BILINEAR)
    canvas.image.paste(palette.veil, (0, 0), mask)


def reflection(canvas: Canvas) -> None:
    """The picture above the waterline, upside down and fading below it."""
    left, line = round(0.36 * canvas.side), round(WATERLINE * canvas.side)
    width, depth = canvas.side - left, canvas.side - line
    above = canvas.image.crop((left, line - depth, canvas.side, line))
    fade = Image.fromarray(np.linspace(190, 30, depth).astype(np.uint8)[:, None]).resize((width, depth))
    canvas.image.paste(ImageOps.flip(above).filter(ImageFilter.BoxBlur(canvas.side / 200)), (left, line), fade)


def banks(canvas: Canvas, scene: Scene, palette: Palette) -> None:
    """The ground that the plant grows on, and the ground that the thing stands on where that is not the water."""
    rng = chance(scene, "banks")
    shade = blend(palette.ground, (40, 50, 40), 0.0 if canvas.snow else 0.25)
    if scene.water and scene.thing not in AFLOAT:
        x = np.linspace(0.46, 1.02, 30)
        crest = GROUND + 0.16 * np.clip((0.6 - x) / 0.14, 0, 1) ** 2 + rng.normal(0, 0.002, 30)
        canvas.shape(np.concatenate([np.stack([x, crest], 1), [[1.02, 1.02], [0.46, 1.02]]]), shade)
        canvas.line(np.stack([x, crest], 1), 0.006, blend(shade, (30, 34, 30), 0.35), 0.6)
    if scene.plant != "lotus":
        x = np.linspace(-0.02, 0.56, 30)
        crest = 0.9 + 0.3 * (np.clip(x, 0, 1) / 0.6) ** 2.2 + rng.normal(0, 0.003, 30)
        canvas.shape(np.concatenate([np.stack([x, crest], 1), [[-0.02, 1.05]]]), shade)
        grass = rng.uniform((0, 0.92), (0.3, 1.0), (24, 2))
        canvas.stamp(LEAF, grass, 0.026, -1.3, [blend(shade, (40, 70, 40), 0.5)], 0.7)
