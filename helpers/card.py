"""The poem card: a photograph and, on paper beside it, the quatrain set as in a printed book."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

from helpers.fonts import SERIF

PAPER, INK, FADED, RED = (247, 243, 233), (42, 38, 35), (110, 101, 92), (170, 50, 40)
HAIRLINE = (222, 214, 198)  # round the photograph, so that a white sky does not run into the paper
MARGIN = 72  # pixels, as all lengths here
PHOTO_SIDE = 1056  # the photograph's width in the portrait card, its height in the landscape card
SUPERSAMPLE = 4  # text is drawn this much larger and averaged down: strokes stay sharp at any position

# Without a shaping library the vertical forms of punctuation are chosen here.
_VERTICAL = str.maketrans("，、。：；！？（）《》〈〉「」『』—…", "︐︑︒︓︔︕︖︵︶︽︾︿﹀﹁﹂﹃﹄︱︙")
_NOT_AT_HEAD = " ︐︑︒︓︔︕︖︶︾﹀﹂﹄"  # dropped where a title's second column would begin with them


def poem_card(image: Image.Image, poem: str | Sequence[str], title: str, *, seal: str = "诗") -> Image.Image:
    """Set a poem beside its photograph.

    The columns run from right to left: title, lines, and at the lower left the seal. A wide photograph stands
    above the poem on a card of 1,200 px width, a square or tall one to its left on a card of 1,200 px height;
    it is scaled, never cropped or squashed.

    Args:
        image: the photograph, any size and mode that converts to RGB.
        poem: the lines, or one string in which white space or punctuation parts them.
        title: may be empty; a long one takes two columns and, in the end, an ellipsis.
        seal: up to four characters; empty for no seal.

    Returns:
        The card, mode RGB.

    Raises:
        ValueError: the poem has no characters, or the seal more than four.
    """
    lines = _lines(poem)
    seal = "".join(seal.split())
    if not lines:
        raise ValueError("poem_card: the poem has no characters")
    if len(seal) > 4:
        raise ValueError(f"poem_card: a seal has at most 4 characters, not {len(seal)}: {seal!r}")

    aspect = image.width / image.height
    portrait = aspect > 1.15
    if portrait:
        photo_size = PHOTO_SIDE, max(1, round(PHOTO_SIDE / aspect))
    else:
        photo_size = max(1, round(PHOTO_SIDE * aspect)), PHOTO_SIDE
    photo = image.convert("RGB").resize(photo_size, Image.Resampling.LANCZOS, reducing_gap=3)
    text = _text_block(lines, title, seal, size=50 if portrait else 64)

    gap = round(1.3 * MARGIN)  # the type stands a little freer than the photograph
    if portrait:
        width = max(photo.width, text.width) + 2 * MARGIN
        height = MARGIN + photo.height + gap + text.height + gap
        photo_at = (width - photo.width) // 2, MARGIN
        text_at = (width - text.width) // 2, MARGIN + photo.height + gap
    else:
        width = MARGIN + photo.width + gap + text.width + gap
        height = max(photo.height, text.height) + 2 * MARGIN
        photo_at = MARGIN, (height - photo.height) // 2
        # A little above the middle, which is where the eye expects the middle.
        text_at = MARGIN + photo.width + gap, MARGIN + round(0.42 * (height - 2 * MARGIN - text.height))
    card = Image.new("RGB", (width, height), PAPER)
    (left, top), (right, bottom) = photo_at, (photo_at[0] + photo.width, photo_at[1] + photo.height)
    ImageDraw.Draw(card).rectangle((left - 1, top - 1, right, bottom), outline=HAIRLINE)
    card.paste(photo, photo_at)
    card.paste(text, text_at)
    return card


def missing_glyphs(text: str) -> set[str]:
    """The characters of `text` that the card's font cannot draw (it would show an empty box)."""
    font = _font(32)
    box = font.getmask("\U0010ffff")  # a code point that no font has
    return {char for char in set("".join(text.split())) if bytes(font.getmask(char)) == bytes(box)}


@lru_cache(maxsize=16)
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(SERIF), size, layout_engine=ImageFont.Layout.BASIC)


def _lines(poem: str | Sequence[str]) -> list[str]:
    """The poem's columns; the white space of the page takes the place of punctuation."""
    text = poem if isinstance(poem, str) else "\n".join(poem)
    return [line for line in re.split(r"[\s|/，。、；：！？,.;:!?]+", text) if line]


def _title_columns(title: str, capacity: int) -> list[str]:
    """One column, or two of equal length, or two full ones that end in an ellipsis."""
    title = " ".join(re.sub("^《(.*)》$", r"\1", title.strip()).split()).translate(_VERTICAL)
    if len(title) > 2 * capacity:
        title = title[: 2 * capacity - 1] + "︙"
    if len(title) <= capacity:
        return [title] if title else []
    half = -(-len(title) // 2)
    return [title[:half].rstrip(), title[half:].lstrip(_NOT_AT_HEAD)]


def _text_block(lines: list[str], title: str, seal: str, size: int) -> Image.Image:
    """Title, poem and seal on paper, cropped to the type area; `size` is the poem's character height."""
    s = size * SUPERSAMPLE
    row, column = round(1.3 * s), round(1.95 * s)  # from one character, or column, to the next
    height = row * (max(map(len, lines)) - 1) + s
    title_size = round(0.6 * s)
    title_row, title_column = round(1.25 * title_size), round(1.5 * title_size)
    titles = _title_columns(title, capacity=1 + (height - title_size) // title_row)
    seal_width, seal_height = _seal_size(seal, s)

    title_width = title_size + title_column * (len(titles) - 1) if titles else 0
    between = column - s  # the white between two columns
    width = s + column * (len(lines) - 1)
    width += (title_width + between if titles else 0) + (seal_width + between if seal else 0)
    block = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(block)

    right = width
    for index, text in enumerate(titles):
        _column(draw, text, right - index * title_column - title_size, 0, title_size, title_row, FADED)
    right -= title_width + between if titles else 0
    for index, line in enumerate(lines):
        _column(draw, line, right - index * column - s, 0, s, row, INK, stroke=1)  # as if the ink had spread
    if seal:
        _seal(draw, seal, (0, height - seal_height), s)
    target = round(width / SUPERSAMPLE), round(height / SUPERSAMPLE)
    return block.resize(target, Image.Resampling.BOX)


def _column(
    draw: ImageDraw.ImageDraw,
    text: str,
    left: int,
    top: int,
    size: int,
    row: int,
    colour: tuple[int, int, int],
    stroke: int = 0,
) -> None:
    """Draw characters upright, one below the other, each centred in its own square of `size` px."""
    for index, char in enumerate(text):
        # Noto's square reaches from 0.88 above the baseline to 0.12 below it.
        at = left + size / 2, top + index * row + 0.88 * size
        draw.text(at, char, font=_font(size), fill=colour, anchor="ms", stroke_width=stroke)


def _seal_grid(seal: str, s: int) -> tuple[int, int, int, int]:
    """Columns, rows, cell and rim of a seal: four characters stand two by two, fewer below one another."""
    columns = 2 if len(seal) == 4 else 1
    cell = round((0.6 if len(seal) > 1 else 0.76) * s)
    return columns, -(-len(seal) // columns), cell, round(0.13 * s)


def _seal_size(seal: str, s: int) -> tuple[int, int]:
    columns, rows, cell, rim = _seal_grid(seal, s)
    return columns * cell + 2 * rim, rows * cell + 2 * rim


def _seal(draw: ImageDraw.ImageDraw, seal: str, at: tuple[int, int], s: int) -> None:
    """A red stamp with the characters left as paper, read from the right."""
    columns, rows, cell, rim = _seal_grid(seal, s)
    (left, top), (width, height) = at, _seal_size(seal, s)
    draw.rounded_rectangle((left, top, left + width - 1, top + height - 1), round(0.07 * s), fill=RED)
    size = round(0.92 * cell)
    inset = (cell - size) // 2
    for index in range(columns):
        text = seal[index * rows : (index + 1) * rows]
        x = left + width - rim - (index + 1) * cell + inset
        _column(draw, text, x, top + rim + inset, size, cell, PAPER, stroke=round(0.018 * size))
