"""The calmest place of a photograph, where there is room for writing, found with integral images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from helpers.cards.contrast import ENOUGH, Box, Palette, contrast_ratio

AREA = 256**2  # pixels, at most, of the photograph in which the place is sought


@dataclass(frozen=True)
class Place:
    box: Box  # on the photograph
    unrest: float  # 0 for a plain ground on which an ink can be read


def calmest_place(photo: Image.Image, size: Sequence[int], margin: int, palettes: Sequence[Palette]) -> Place:
    """The box of `size` (width, height) with the least going on in it, `margin` pixels from the edges.

    Unrest is twice the root mean square of the gradient (edges and texture; a square, since a single branch disturbs
    more than grain does), plus a fifth of the standard deviation of brightness (a glow has no edges), plus half the
    contrast that the better ink lacks on average, as a share of what it should have. Among places of like unrest one
    without skin colours is preferred, and one towards a corner, where inscriptions stand.

    Args:
        photo: mode RGB, at least as large as `size` plus two margins.
        palettes: those with the inks that may be used.
    """
    scale = min(1.0, (AREA / (photo.width * photo.height)) ** 0.5)
    small = photo.resize([max(2, round(side * scale)) for side in photo.size], Image.Resampling.BOX, reducing_gap=2)
    width, height = (min(max(1, round(side * scale)), limit) for side, limit in zip(size, small.size, strict=True))

    grey = np.asarray(small.convert("L"), np.float64) / 255
    energy = np.zeros_like(grey)
    energy[:, 1:] += np.diff(grey, axis=1) ** 2
    energy[1:] += np.diff(grey, axis=0) ** 2
    mean = _means(grey, width, height)
    spread = np.sqrt((_means(grey**2, width, height) - mean**2).clip(0))
    lacks = ((1 - contrast_ratio(palette.ink, np.asarray(small)) / ENOUGH).clip(0) for palette in palettes)
    lack = np.minimum.reduce([_means(lack, width, height) for lack in lacks])
    unrest = 2 * np.sqrt(_means(energy, width, height).clip(0)) + 0.2 * spread + 0.5 * lack

    rows, columns = unrest.shape
    x, y = np.linspace(-1, 1, columns), np.linspace(-1, 1, rows)[:, None]
    central = (1 - np.abs(x)) + (1 - np.abs(y)) + 0.2 * (x < 0)  # at the right before the left: writing starts there
    cost = unrest + 0.1 * _means(_skin(small), width, height) + 0.01 * central

    edge = round(margin * scale)
    allowed = _inner(rows, edge), _inner(columns, edge)
    row, column = np.unravel_index(cost[allowed].argmin(), cost[allowed].shape)
    row, column = row + allowed[0].start, column + allowed[1].start
    left = min(max(round(column / scale), margin), photo.width - size[0] - margin)  # rounding may not cost the margin
    top = min(max(round(row / scale), margin), photo.height - size[1] - margin)
    return Place((left, top, left + size[0], top + size[1]), float(unrest[row, column]))


def _means(values: np.ndarray, width: int, height: int) -> np.ndarray:
    """(H, W) -> (H - height + 1, W - width + 1): the mean over every window, four look-ups each."""
    total = np.pad(values.cumsum(0, dtype=np.float64).cumsum(1), ((1, 0), (1, 0)))
    window = total[height:, width:] - total[:-height, width:] - total[height:, :-width] + total[:-height, :-width]
    return window / (width * height)


def _inner(length: int, edge: int) -> slice:
    """A slice of `length` places without `edge` at either end, but at least the middle one."""
    edge = min(edge, (length - 1) // 2)
    return slice(edge, length - edge)


def _skin(photo: Image.Image) -> np.ndarray:
    """For each pixel (H, W), how much its colour speaks for a face, 0 to 1.

    1 in the box of Cb and Cr that Chai and Ngan (1999) give for skin of all complexions; less where much of the
    photograph has such colours, and nothing from two fifths on: that is an evening sky, sand, or autumn.
    """
    _, blue, red = np.moveaxis(np.asarray(photo.convert("YCbCr")), 2, 0)
    skin = (blue >= 77) & (blue <= 127) & (red >= 133) & (red <= 173)
    return skin * max(0.0, 1 - skin.mean() / 0.4)
