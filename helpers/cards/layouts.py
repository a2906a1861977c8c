"""The layouts: each takes a photograph and a text, and prepares the sheet that the text is then written on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

from helpers.cards.calm import Place, calmest_place
from helpers.cards.contrast import (
    Box,
    Colour,
    Palette,
    contrast_ratio,
    lay_veil,
    palettes,
    paper_palette,
    place_palette,
)
from helpers.cards.text import SUPERSAMPLE, Block, CardText, draw_block, glyph_box, set_block

MARGIN = 72  # pixels, as all lengths here
LONG = 1200  # the long side of an inscribed photograph, the width of the other cards or (album beside) the height
TIGHT = 1.5  # columns of an inscription, closer than on paper
SMALLEST = 24  # the largest type of an inscription is at least this
RIBBON = 10  # the longest shape of an inscribed photograph
CALM = 0.03  # unrest up to which a place is thought fit for an inscription


@dataclass(frozen=True)
class Sheet:
    """A card before the ink: everything that is needed to write on it, or to check it."""

    ground: Image.Image  # RGB
    photo: Box  # the photograph's
    block: Block
    at: tuple[int, int]  # the block's upper left corner
    palette: Palette
    title_ink: Colour

    @property
    def text(self) -> Box:
        """The box of the text."""
        return *self.at, self.at[0] + self.block.width, self.at[1] + self.block.height

    def write(self) -> Image.Image:
        card = self.ground.copy()
        draw_block(card, self.block, self.at, self.palette, self.title_ink)
        return card


def worst_contrast(sheet: Sheet) -> float:
    """The lowest contrast ratio of an ink with any pixel of the ground in any character's square.

    The seal is not looked at: its characters stand on its own red.
    """
    inks = [(glyph, sheet.palette.ink) for glyph in sheet.block.poem]
    inks += [(glyph, sheet.title_ink) for glyph in sheet.block.title]
    return min(
        float(contrast_ratio(ink, np.asarray(sheet.ground.crop(glyph_box(glyph, sheet.at)))).min())
        for glyph, ink in inks
    )


# --- 册页: an album leaf, the poem on paper below a wide photograph, to the right of another ---


def album(photo: Image.Image, text: CardText, theme: str) -> Sheet:
    palette = paper_palette(photo, theme)
    side = LONG - 2 * MARGIN
    wide = photo.width > 1.15 * photo.height
    photo = _scaled(photo, side / (photo.width if wide else photo.height))
    block = set_block(text, 56 if wide else 68)
    gap = round(1.3 * MARGIN)  # the type stands a little freer than the photograph
    if wide:
        width = max(photo.width, block.width) + 2 * MARGIN
        height = MARGIN + photo.height + gap + block.height + gap
        photo_at = (width - photo.width) // 2, MARGIN
        at = (width - block.width) // 2, MARGIN + photo.height + gap
    else:
        width = MARGIN + photo.width + gap + block.width + gap
        height = max(photo.height, block.height) + 2 * MARGIN
        photo_at = MARGIN, (height - photo.height) // 2
        # A little above the middle, which is where the eye expects the middle.
        at = MARGIN + photo.width + gap, MARGIN + round(0.42 * (height - 2 * MARGIN - block.height))
    ground = Image.new("RGB", (width, height), palette.paper)
    box = _placed(ground, photo, photo_at)
    ImageDraw.Draw(ground).rectangle((box[0] - 1, box[1] - 1, box[2], box[3]), outline=palette.hairline)
    return Sheet(ground, box, block, at, palette, palette.faded)


# --- 题画诗: an inscription, written on the photograph where that is calmest ---


def inscription(photo: Image.Image, text: CardText, theme: str) -> Sheet:
    photo, block, place = inscription_place(photo, text, theme)
    palette = place_palette(photo, place.box, theme)
    ground = lay_veil(photo, place.box, palette, softness=round(1.5 * block.size))
    left, top, right, bottom = place.box
    at = (left + right - block.width) // 2, (top + bottom - block.height) // 2
    return Sheet(ground, (0, 0, *photo.size), block, at, palette, palette.ink)


def inscription_place(photo: Image.Image, text: CardText, theme: str) -> tuple[Image.Image, Block, Place]:
    """The photograph at the card's size, and the largest type for which it has a calm place.

    If it has none, the smallest type at the calmest place. A ribbon of more than ten times its width is first laid on
    paper, since no column of verse would fit on it.
    """
    if max(photo.size) > RIBBON * min(photo.size):
        sheet = [max(side, -(-max(photo.size) // RIBBON)) for side in photo.size]
        photo = ImageOps.pad(photo, sheet, color=paper_palette(photo, theme).paper)
    # A long side of LONG, a short one of a third of it: even a panorama has to hold a column of verse.
    photo = _scaled(photo, max(LONG / max(photo.size), LONG / 3 / min(photo.size)))
    unit = set_block(text, 100, TIGHT)  # widths and heights grow with the type size
    air = 0.4  # characters: writing wants some of the calm round it
    room = min(
        side / (length / 100 + 2 * air) for side, length in zip(photo.size, (unit.width, unit.height), strict=True)
    )
    largest = min(0.9 * room, 0.066 * (photo.width * photo.height) ** 0.5)
    if largest < SMALLEST:  # so long a text wants a larger photograph
        photo, largest = _scaled(photo, SMALLEST / largest), SMALLEST
    for share in (1.0, 0.86, 0.74, 0.64, 0.55):
        block = set_block(text, share * largest, TIGHT)
        size = [round(length + 2 * air * block.size) for length in (block.width, block.height)]
        place = calmest_place(photo, size, round(0.04 * min(photo.size)), palettes(theme))
        if place.unrest <= CALM:
            break
    return photo, block, place


# --- 挂轴: a hanging scroll; the poem stands in the 诗塘, the panel above the picture ---


def scroll(photo: Image.Image, text: CardText, theme: str) -> Sheet:
    palette = paper_palette(photo, theme)
    block = set_block(text, 50)
    inner = max(760, block.width + 120)
    photo = _scaled(photo, min(inner / photo.width, 1300 / photo.height))
    border, band, heaven, earth, wall = 64, 26, 210, 150, 78
    panel_height, left = block.height + 140, max(2 * wall, (LONG - inner) // 2 - border)
    top, right = wall + 30, left + inner + 2 * border
    inside = left + border, right - border
    panel_top = top + heaven
    photo_top = panel_top + panel_height + band
    photo_bottom = photo_top + photo.height
    bottom = photo_bottom + earth

    ground = Image.new("RGB", (right + left, bottom + 34 + wall), palette.wall)
    _shadow(ground, (left, top, right, bottom + 20))
    ground.paste(_silk((right - left, bottom - top), palette.silk), (left, top))
    draw = ImageDraw.Draw(ground)
    for x in (left + (right - left) // 3, right - (right - left) // 3):  # 惊燕, the ribbons
        draw.rectangle((x - 11, top, x + 11, panel_top), palette.trim)
    draw.rectangle((inside[0], panel_top - band, inside[1] - 1, photo_bottom + band - 1), palette.trim)
    for upper, lower in ((panel_top, photo_top - band), (photo_top, photo_bottom)):
        draw.rectangle((inside[0], upper, inside[1] - 1, lower - 1), palette.paper)
    _hang(ground, (left, top, right, bottom), palette)

    box = _placed(ground, photo, ((left + right - photo.width) // 2, photo_top))
    at = (left + right - block.width) // 2, panel_top + (panel_height - block.height) // 2
    return Sheet(ground, box, block, at, palette, palette.faded)


# --- 团扇: a round fan with the photograph's middle, the poem facing it ---


def fan(photo: Image.Image, text: CardText, theme: str) -> Sheet:
    palette = paper_palette(photo, theme)
    diameter, rim, handle = 520, 8, 140
    block = set_block(text, 43)
    gap = round(1.3 * MARGIN)
    width = max(LONG, MARGIN + diameter + gap + block.width + gap)
    above = max(MARGIN, gap - (diameter - block.height) // 2)  # a long poem reaches beyond the disc
    height = above + diameter + max(handle + MARGIN, above)
    x, y = (width - diameter - gap - block.width) // 2, above
    at = x + diameter + gap, y + (diameter - block.height) // 2

    # The square in the middle; of a tall photograph a little above, where people have their heads.
    side = min(photo.size)
    crop_left, crop_top = (photo.width - side) // 2, round(0.4 * (photo.height - side))
    square = photo.crop((crop_left, crop_top, crop_left + side, crop_top + side))
    square = square.resize((diameter, diameter), Image.Resampling.LANCZOS, reducing_gap=3)

    ground = Image.new("RGB", (width, height), palette.paper)
    middle = x + diameter // 2
    _rod(ground, (middle - 9, y + diameter - 4, middle + 9, y + diameter + handle), palette.wood)
    ground.paste(palette.wood, (x - rim, y - rim), _disc(diameter + 2 * rim))
    ground.paste(square, (x, y), _disc(diameter))
    return Sheet(ground, (x, y, x + diameter, y + diameter), block, at, palette, palette.faded)


LAYOUTS: dict[str, Callable[[Image.Image, CardText, str], Sheet]] = {
    "album": album,
    "inscription": inscription,
    "scroll": scroll,
    "fan": fan,
}


def fitting_layout(photo: Image.Image, text: CardText, theme: str) -> str:
    """The name of the layout that fits a photograph best.

    Room to write on decides first: a photograph no longer than three times its width, with a calm place, is inscribed,
    as a painter would do. Otherwise its shape decides: a tall one is hung as a scroll, a nearly square one loses least
    in a round fan, and all others go into the album, which takes any shape.
    """
    aspect = photo.width / photo.height
    if 1 / 3 <= aspect <= 3 and inscription_place(photo, text, theme)[2].unrest <= CALM:
        return "inscription"
    if 1 / 3 <= aspect < 0.85:
        return "scroll"
    return "fan" if 0.85 <= aspect <= 1.15 else "album"


# --- what they are made of ---


def _scaled(photo: Image.Image, factor: float) -> Image.Image:
    size = [max(1, round(side * factor)) for side in photo.size]
    return photo.resize(size, Image.Resampling.LANCZOS, reducing_gap=3)


def _placed(ground: Image.Image, photo: Image.Image, at: tuple[int, int]) -> Box:
    ground.paste(photo, at)
    return *at, at[0] + photo.width, at[1] + photo.height


def _silk(size: tuple[int, int], colour: Colour) -> Image.Image:
    """A plain weave: threads of slightly uneven lightness, warp and weft from a fixed seed."""
    rng = np.random.default_rng(0)
    warp, weft = (rng.normal(0, 2.2, side) for side in size)
    weave = np.array(colour) + (warp + weft[:, None])[..., None]
    return Image.fromarray(weave.clip(0, 255).astype(np.uint8))


def _hang(ground: Image.Image, silk: Box, palette: Palette) -> None:
    """The cord, the upper rod (天杆) and the roller (轴头) of a scroll."""
    left, top, right, bottom = silk
    height, middle = 70, (right - left) // 2 - 120
    cord = Image.new("L", (2 * middle * SUPERSAMPLE, height * SUPERSAMPLE))
    points = [(0, cord.height), (cord.width // 2, 2 * SUPERSAMPLE), (cord.width, cord.height)]
    ImageDraw.Draw(cord).line(points, 255, 2 * SUPERSAMPLE, joint="curve")
    ground.paste(palette.wood, (left + 120, top - height), cord.reduce(SUPERSAMPLE))
    _rod(ground, (left - 4, top - 10, right + 4, top + 6), palette.wood)
    _rod(ground, (left - 40, bottom - 8, right + 40, bottom + 26), palette.wood)


def _rod(ground: Image.Image, box: Box, colour: Colour) -> None:
    """A round stick: lightest a third of the way across its shorter side."""
    width, height = box[2] - box[0], box[3] - box[1]
    across = np.linspace(-1, 1, min(width, height) + 2)[1:-1]
    light = np.sqrt(1 - across**2) * (1 - 0.35 * across)
    shade = np.array(colour) * (0.35 + light[:, None])
    pixels = np.broadcast_to(shade[:, None] if height < width else shade[None], (height, width, 3))
    ground.paste(Image.fromarray(pixels.clip(0, 255).astype(np.uint8)), box[:2])


def _shadow(ground: Image.Image, box: Box) -> None:
    """A soft shadow below and to the right of a box."""
    quarter = [side // 4 for side in ground.size]  # blurred small: it has no detail
    mask = Image.new("L", quarter)
    ImageDraw.Draw(mask).rectangle([(side + shift) // 4 for side, shift in zip(box, (6, 12, 12, 16), strict=True)], 110)
    mask = mask.filter(ImageFilter.GaussianBlur(5)).resize(ground.size, Image.Resampling.BILINEAR)
    ground.paste(ImageChops.multiply(ground, Image.new("RGB", ground.size, (70, 66, 62))), (0, 0), mask)


def _disc(diameter: int) -> Image.Image:
    mask = Image.new("L", (diameter * SUPERSAMPLE,) * 2)
    ImageDraw.Draw(mask).ellipse((0, 0, diameter * SUPERSAMPLE - 1, diameter * SUPERSAMPLE - 1), fill=255)
    return mask.reduce(SUPERSAMPLE)
