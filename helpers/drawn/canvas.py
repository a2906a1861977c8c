"""The drawn mini set: a canvas in unit coordinates, its colours, and the shapes that brushes are made of.

All coordinates are in the unit square, (0, 0) the upper left corner and y downwards; widths and sizes are parts of the
picture's side. Chance comes from the generator that a function is given and never depends on the picture's size.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

Colour = tuple[int, int, int]
Shade = tuple[float, float, float]
INK, BARK, WOOD, STRAW = (44, 42, 44), (84, 62, 48), (112, 72, 46), (196, 160, 98)
RED, ROOF, STONE, WHITE = (196, 52, 38), (62, 68, 78), (168, 162, 150), (250, 250, 246)
LIT, SKIN = (255, 206, 104), (222, 182, 148)


def ring(corners: int, start: float = 0.0, stop: float = 1.0) -> np.ndarray:
    """Points on the unit circle, (corners, 2), from one part of the turn to another."""
    turn = 2 * np.pi * np.linspace(start, stop, corners, endpoint=stop - start != 1.0)
    return np.stack([np.cos(turn), np.sin(turn)], axis=1)


# Shapes to stamp, (corners, 2), about a unit long; leaves and petals start at (0, 0) and point along x.
DOT = ring(12)
LEAF = np.array([[0, 0], [0.25, 0.1], [0.5, 0.13], [0.75, 0.09], [1, 0], [0.75, -0.09], [0.5, -0.13], [0.25, -0.1]])
PETAL = np.array([[0, 0], [0.3, 0.2], [0.6, 0.27], [0.85, 0.17], [1, 0], [0.85, -0.17], [0.6, -0.27], [0.3, -0.2]])
MAPLE_LEAF = ring(10) * np.array([1, 0.36] * 5)[:, None]
CRESCENT = np.concatenate([ring(24, 0.02, 0.48), (ring(24, 0.0, 0.5) * [0.96, 0.55])[::-1]]) - [0, 0.3]


class Canvas:
    """A square RGB image to be drawn on in unit coordinates; colours are seen in the light of the scene."""

    def __init__(self, image: Image.Image, kept: Shade, added: Shade, *, night: bool = False, snow: bool = False):
        """A colour in this light: in each channel a part is `kept`, and something `added`."""
        self.image, self.side = image, image.width
        self.draw = ImageDraw.Draw(image, "RGBA")
        self.kept, self.added, self.night, self.snow = kept, added, night, snow

    def seen(self, colour: Sequence[float], opacity: float = 1.0, *, glows: bool = False) -> tuple[int, ...]:
        """The colour in the scene's light, RGBA."""
        if not glows:
            colour = [c * kept + added for c, kept, added in zip(colour, self.kept, self.added, strict=True)]
        return (*(min(255, int(channel)) for channel in colour), int(255 * opacity))

    def shape(self, points: np.ndarray, colour: Colour, opacity: float = 1.0, *, glows: bool = False) -> None:
        """A filled polygon of points (n, 2)."""
        flat = (np.asarray(points) * self.side).ravel().tolist()
        self.draw.polygon(flat, fill=self.seen(colour, opacity, glows=glows))

    def line(self, points: np.ndarray, width: float, colour: Colour, opacity: float = 1.0) -> None:
        """A line through points (n, 2), of one width."""
        flat = (np.asarray(points) * self.side).ravel().tolist()
        self.draw.line(flat, fill=self.seen(colour, opacity), width=max(1, round(width * self.side)), joint="curve")

    def box(self, left: float, top: float, right: float, bottom: float, colour: Colour, *, glows: bool = False) -> None:
        self.shape(np.array([[left, top], [right, top], [right, bottom], [left, bottom]]), colour, glows=glows)

    def disc(self, x: float, y: float, radius: float, colour: Colour, opacity: float = 1.0, flat: float = 1.0) -> None:
        """A disc, or with `flat` != 1 an ellipse of that height to its width."""
        rx, ry = radius * self.side, radius * flat * self.side
        x, y = x * self.side, y * self.side
        self.draw.ellipse((x - rx, y - ry, x + rx, y + ry), fill=self.seen(colour, opacity))

    def brush(self, path: np.ndarray, start: float, end: float, colour: Colour, opacity: float = 1.0) -> None:
        """A stroke along the path (n, 2) whose width goes from `start` to `end`."""
        path = np.asarray(path, float)
        along = np.concatenate([path[1:], path[-1:]]) - np.concatenate([path[:1], path[:-1]])
        across = along[:, ::-1] * (-0.5, 0.5) / np.hypot(along[:, :1], along[:, 1:])
        half = across * np.linspace(start, end, len(path))[:, None]
        self.shape(np.concatenate([path + half, (path - half)[::-1]]), colour, opacity)

    def stamp(
        self,
        shape: np.ndarray,
        places: np.ndarray,
        sizes: np.ndarray | float,
        angles: np.ndarray | float,
        colours: Sequence[Colour],
        opacity: float = 1.0,
    ) -> None:
        """The shape (corners, 2) at each of the places (n, 2), turned by the angles (radians, one or (n,)).

        `sizes`: one or (n,); the colours take turns.
        """
        places = np.asarray(places)
        scale = np.broadcast_to(np.asarray(sizes) * self.side, len(places))
        cos, sin = np.cos(angles) * scale, np.sin(angles) * scale
        x = places[:, :1] * self.side + np.outer(cos, shape[:, 0]) - np.outer(sin, shape[:, 1])
        y = places[:, 1:] * self.side + np.outer(sin, shape[:, 0]) + np.outer(cos, shape[:, 1])
        fills = [self.seen(colour, opacity) for colour in colours]
        for index, corners in enumerate(np.stack([x, y], axis=2).reshape(len(places), -1).tolist()):
            self.draw.polygon(corners, fill=fills[index % len(fills)])

    def glow(self, x: float, y: float, radius: float, colour: Colour, strength: float) -> None:
        """Light that fades with the distance from (x, y)."""
        side = max(2, round(2 * radius * self.side))
        fade = np.clip(1 - np.hypot(*np.mgrid[-1:1:32j, -1:1:32j]), 0, 1) ** 1.5 * strength * 255
        mask = Image.fromarray(fade.astype(np.uint8)).resize((side, side), Image.Resampling.BILINEAR)
        self.image.paste(colour, (round((x - radius) * self.side), round((y - radius) * self.side)), mask)


def curve(*points: tuple[float, float], steps: int = 12) -> np.ndarray:
    """A Bezier curve, (steps, 2), from the first point to the last, drawn towards those between."""
    t = np.linspace(0, 1, steps)[:, None]
    layers = [np.array(point, float) for point in points]
    while len(layers) > 1:
        layers = [(1 - t) * a + t * b for a, b in zip(layers, layers[1:], strict=False)]
    return layers[0]


def both_sides(points: np.ndarray, x: float) -> np.ndarray:
    """An outline, (2 n, 2): the points (n, 2) and, backwards, their mirror images about the vertical at x."""
    return np.concatenate([points, ([2 * x, 0] + points * [-1, 1])[::-1]])


def scatter(rng: np.random.Generator, count: int, x: float, y: float, width: float, height: float) -> np.ndarray:
    """Points in an ellipse, (count, 2), even over its area."""
    return [x, y] + ring(count, 0, rng.random() + count * 0.381966) * [width, height] * np.sqrt(rng.random((count, 1)))
