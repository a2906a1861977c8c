"""Light or dark: palettes, the WCAG contrast of ink on its ground, and the veil that makes up for a lack of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image, ImageFilter

Colour = tuple[int, int, int]
Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels, right and bottom outside

ENOUGH = 4.5  # WCAG 2.x, level AA for text of any size
DARK_PHOTO = 0.30  # mean of the grey photo, 0 black to 1 white, below which the paper is dark
TILE = 8  # pixels; the veil's strength is found once a tile


@dataclass(frozen=True)
class Palette:
    """The colours of one theme; both inks have at least 4.5:1 on the paper, as the seal's characters on its red."""

    paper: Colour
    ink: Colour
    faded: Colour  # the title
    hairline: Colour  # round the photograph, so that a white sky does not run into the paper
    wall: Colour  # behind a hanging scroll
    silk: Colour  # a scroll's mount
    trim: Colour  # narrow bands on the silk
    wood: Colour  # rods, rim and handle
    seal: Colour = (166, 44, 36)
    seal_text: Colour = (247, 243, 233)


LIGHT = Palette(
    paper=(247, 243, 233),
    ink=(30, 26, 24),
    faded=(104, 95, 86),
    hairline=(222, 214, 198),
    wall=(226, 221, 211),
    silk=(184, 181, 158),
    trim=(219, 211, 187),
    wood=(84, 54, 38),
)
DARK = Palette(
    paper=(29, 28, 30),
    ink=(244, 238, 225),
    faded=(168, 159, 145),
    hairline=(66, 62, 60),
    wall=(54, 52, 52),
    silk=(38, 47, 62),
    trim=(86, 78, 64),
    wood=(92, 64, 48),
)


def contrast_ratio(a: ArrayLike, b: ArrayLike) -> np.ndarray:
    """The WCAG 2.x contrast ratio of two colours, 1 (equal) to 21 (black on white).

    https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio

    Args:
        a, b: sRGB colours, (..., 3), 0 to 255; they broadcast against each other.

    Returns:
        (...): (lighter + 0.05) / (darker + 0.05), of relative luminances.
    """
    light, other = _luminance(a), _luminance(b)
    return (np.maximum(light, other) + 0.05) / (np.minimum(light, other) + 0.05)


def palettes(theme: str) -> tuple[Palette, ...]:
    """The palettes of a theme ("light", "dark", or "auto" for both) to choose from."""
    return {"light": (LIGHT,), "dark": (DARK,), "auto": (LIGHT, DARK)}[theme]


def paper_palette(photo: Image.Image, theme: str) -> Palette:
    """The palette of a theme for paper; "auto" takes dark paper for a dark photograph."""
    dark = np.asarray(photo.convert("L")).mean() < 255 * DARK_PHOTO
    return palettes(theme)[-1 if dark else 0]


def place_palette(photo: Image.Image, box: Box, theme: str) -> Palette:
    """The palette of a theme for an inscription; "auto" takes the one that needs the weaker veil over this box."""
    return min(palettes(theme), key=lambda palette: _strength(photo, box, palette).mean())


def lay_veil(photo: Image.Image, box: Box, palette: Palette, softness: int) -> Image.Image:
    """Mist of the paper's colour over a box, as much as each spot needs for the ink to have 4.5:1 on every pixel of it.

    The strengths of the tiles are spread (a running maximum) and then smoothed (running means) by no more than they
    were spread, so that smoothing takes from no pixel what it needs.

    Args:
        photo: mode RGB.
        softness: pixels over which the veil fades out, roughly.
    """
    strength = _strength(photo, box, palette)
    if not strength.any():
        return photo
    alpha = np.ceil(strength * 255) + 4 * (strength > 0)  # 4: four roundings follow, each of at most one level
    radius = max(1, round(softness / TILE / 2))
    spread = Image.fromarray(alpha.clip(0, 255).astype(np.uint8)).filter(ImageFilter.MaxFilter(4 * radius + 3))
    soft = spread.filter(ImageFilter.BoxBlur(radius)).filter(ImageFilter.BoxBlur(radius))
    mask = soft.resize((soft.width * TILE, soft.height * TILE), Image.Resampling.BILINEAR)
    return Image.composite(Image.new("RGB", photo.size, palette.paper), photo, mask.crop((0, 0, *photo.size)))


def _luminance(colour: ArrayLike) -> np.ndarray:
    """Relative luminance, 0 to 1, of sRGB colours: (..., 3) -> (...)."""
    channel = np.asarray(colour, np.float64) / 255
    linear = np.where(channel <= 0.03928, channel / 12.92, ((channel + 0.055) / 1.055) ** 2.4)
    return linear @ np.array([0.2126, 0.7152, 0.0722])


def _strength(photo: Image.Image, box: Box, palette: Palette) -> np.ndarray:
    """(rows, columns) of tiles: the veil's opacity, 0 to 1, that each tile in the box needs.

    The ink must stand out from every pixel of a tile, so it is measured against a bound of them all: the largest
    value in each channel under light ink, the smallest under dark ink (and no further from the ink than the veil is).
    Luminance rises with every channel, and towards the veil the bound only moves away from the ink; so what suffices
    for the bound suffices for the pixels, and a stronger veil than needed does no harm.
    """
    pixels = np.asarray(photo)
    rows, columns = -(-pixels.shape[0] // TILE), -(-pixels.shape[1] // TILE)
    missing = (0, rows * TILE - pixels.shape[0]), (0, columns * TILE - pixels.shape[1]), (0, 0)
    tiles = np.pad(pixels, missing, mode="edge").reshape(rows, TILE, columns, TILE, 3)
    inside = np.s_[box[1] // TILE : -(-box[3] // TILE), box[0] // TILE : -(-box[2] // TILE)]
    veil, light_ink = np.array(palette.paper, float), sum(palette.ink) > sum(palette.paper)
    bound = np.maximum(tiles.max((1, 3)), veil) if light_ink else np.minimum(tiles.min((1, 3)), veil)

    bound = bound[inside]
    enough, low = np.ones(bound.shape[:2]), np.zeros(bound.shape[:2])
    enough[contrast_ratio(palette.ink, bound) >= ENOUGH] = 0
    for _ in range(10):  # bisection: contrast grows with the veil
        middle = (low + enough) / 2
        passes = contrast_ratio(palette.ink, bound + middle[..., None] * (veil - bound)) >= ENOUGH
        low, enough = np.where(passes, low, middle), np.where(passes, middle, enough)
    strength = np.zeros((rows, columns))
    strength[inside] = enough
    return strength
