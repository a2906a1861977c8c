"""The poem as columns of type: where each character stands, and how it is drawn."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from helpers.cards.contrast import Box, Colour, Palette
from helpers.cards.fonts import BRUSH, SANS, SERIF

BRUSH_FIRST, SERIF_FIRST = (BRUSH, SERIF, SANS), (SERIF, BRUSH, SANS)
SUPERSAMPLE = 4  # text is drawn this much larger and averaged down: strokes stay sharp at any position
TITLE = 0.6  # height of a title's character, in character heights of the poem
ROW, COLUMN = 1.2, 1.8  # distance of characters in a column, and of columns, in character heights
STAND_IN = 0.92  # a printed face fills its square better than the brush that it stands in for

# Without a shaping library the vertical forms of punctuation are chosen here.
_VERTICAL = str.maketrans("，、。：；！？（）《》〈〉「」『』—…", "︐︑︒︓︔︕︖︵︶︽︾︿﹀﹁﹂﹃﹄︱︙")
_NOT_AT_HEAD = " ︐︑︒︓︔︕︖︶︾﹀﹂﹄"  # dropped where a title's second column would begin with them


@dataclass(frozen=True)
class CardText:
    """The writing on a card."""

    lines: tuple[str, ...]
    title: str  # "" for none
    seal: str  # up to four characters, "" for none

    @classmethod
    def read(cls, poem: str | Sequence[str], title: str, seal: str) -> CardText:
        """ValueError: the poem has no characters, or the seal more than four."""
        text = poem if isinstance(poem, str) else "\n".join(poem)
        # The white space of the page takes the place of punctuation.
        lines = tuple(line for line in re.split(r"[\s|/，。、；：！？,.;:!?]+", text) if line)
        seal = "".join(seal.split())
        if not lines:
            raise ValueError("poem_card: the poem has no characters")
        if len(seal) > 4:
            raise ValueError(f"poem_card: a seal has at most 4 characters, not {len(seal)}: {seal!r}")
        title = " ".join(re.sub("^《(.*)》$", r"\1", title.strip()).split()).translate(_VERTICAL)
        return cls(lines, title, seal)


@dataclass(frozen=True)
class Glyph:
    """One character in its square; lengths in pixels, from the block's upper left corner."""

    char: str
    left: float
    top: float
    size: float
    faces: tuple[Path, ...] = BRUSH_FIRST


@dataclass(frozen=True)
class Block:
    """Title, poem and seal, set in columns from right to left."""

    width: int
    height: int
    size: float  # side of a character of the poem
    title: tuple[Glyph, ...]
    poem: tuple[Glyph, ...]
    seal_box: tuple[float, float, float, float] | None
    seal: tuple[Glyph, ...]


def set_block(text: CardText, size: float, spacing: float = COLUMN) -> Block:
    """Set a text with poem characters of `size` pixels, and columns that are `spacing` characters apart."""
    row, column, between = ROW * size, spacing * size, (spacing - 1) * size
    height = row * (max(map(len, text.lines)) - 1) + size
    title_size = TITLE * size
    title_row, title_column = 1.2 * title_size, 1.4 * title_size
    titles = _title_columns(text.title, capacity=1 + int((height - title_size) / title_row + 1e-6))
    columns, rows, cell, rim = _seal_grid(text.seal, size)
    seal_width, seal_height = columns * cell + 2 * rim, rows * cell + 2 * rim
    height = max(height, seal_height if text.seal else 0)  # a poem of one character beside a seal of three

    title_width = title_size + title_column * (len(titles) - 1) + between if titles else 0
    poem_width = size + column * (len(text.lines) - 1)
    width = title_width + poem_width + (seal_width + between if text.seal else 0)

    title = [
        glyph
        for index, part in enumerate(titles)
        for glyph in _column(part, width - index * title_column - title_size, 0, title_size, title_row)
    ]
    poem = [
        glyph
        for index, line in enumerate(text.lines)
        for glyph in _column(line, width - title_width - index * column - size, 0, size, row)
    ]
    seal, inset = [], 0.04 * cell
    for index in range(columns if text.seal else 0):  # read from the right
        part, left = text.seal[index * rows : (index + 1) * rows], seal_width - rim - (index + 1) * cell + inset
        top = height - seal_height + rim + inset
        seal += _column(part, left, top, 0.92 * cell, cell, SERIF_FIRST)
    seal_box = (0, height - seal_height, seal_width, height) if text.seal else None
    return Block(round(width), round(height), size, tuple(title), tuple(poem), seal_box, tuple(seal))


def draw_block(ground: Image.Image, block: Block, at: tuple[int, int], palette: Palette, title_ink: Colour) -> None:
    """Draw a block on `ground`, its upper left corner at `at`."""
    _ink(ground, block, at, block.title, title_ink)
    _ink(ground, block, at, block.poem, palette.ink)
    if block.seal_box:
        _stamp(ground, block, at, palette.seal)
        _ink(ground, block, at, block.seal, palette.seal_text)


def glyph_box(glyph: Glyph, at: tuple[int, int]) -> Box:
    """The square of a character on the card."""
    left, top = at[0] + glyph.left, at[1] + glyph.top
    return int(left), int(top), -int(-(left + glyph.size) // 1), -int(-(top + glyph.size) // 1)


def missing_glyphs(text: str) -> set[str]:
    """The characters of `text` that no font of the card can draw (it would show an empty box)."""
    return {char for char in set("".join(text.split())) if not any(_has(face, char) for face in BRUSH_FIRST)}


@lru_cache(maxsize=32)
def _font(face: Path, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(face), size, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=8192)
def _has(face: Path, char: str) -> bool:
    """True if a font draws a character otherwise than a code point that no font has."""
    font = _font(face, 32)
    return bytes(font.getmask(char)) != bytes(font.getmask("\U0010ffff"))


def _title_columns(title: str, capacity: int) -> list[str]:
    """One column, or two of equal length, or two full ones that end in an ellipsis."""
    if len(title) > 2 * capacity:
        title = title[: 2 * capacity - 1] + "︙"
    if len(title) <= capacity:
        return [title] if title else []
    half = -(-len(title) // 2)
    return [title[:half].rstrip(), title[half:].lstrip(_NOT_AT_HEAD)]


def _column(
    text: str, left: float, top: float, size: float, row: float, faces: tuple[Path, ...] = BRUSH_FIRST
) -> list[Glyph]:
    """Characters one below the other, each in its own square."""
    return [Glyph(char, left, top + index * row, size, faces) for index, char in enumerate(text) if char != " "]


def _seal_grid(seal: str, size: float) -> tuple[int, int, float, float]:
    """Columns, rows, cell and rim of a seal: four characters stand two by two, fewer below one another."""
    columns = 2 if len(seal) == 4 else 1
    return columns, -(-len(seal) // columns), (0.56 if len(seal) > 1 else 0.72) * size, 0.12 * size


def _ink(ground: Image.Image, block: Block, at: tuple[int, int], glyphs: Sequence[Glyph], colour: Colour) -> None:
    """Lay one colour on the ground through a mask of the characters, as opaque as their strokes cover each pixel."""
    pad = round(0.2 * block.size) + 1  # a brush does not keep to its square
    mask = Image.new("L", ((block.width + 2 * pad) * SUPERSAMPLE, (block.height + 2 * pad) * SUPERSAMPLE))
    draw = ImageDraw.Draw(mask)
    for glyph in glyphs:
        face = next((face for face in glyph.faces if _has(face, glyph.char)), glyph.faces[0])
        size = glyph.size * SUPERSAMPLE * (STAND_IN if face != glyph.faces[0] else 1)
        stroke = 0 if face == BRUSH else round(0.014 * size)  # a printed face is thinner
        # The squares of these fonts reach from 0.88 above the baseline to 0.12 below it.
        x = (pad + glyph.left + 0.5 * glyph.size) * SUPERSAMPLE
        y = (pad + glyph.top + 0.5 * glyph.size) * SUPERSAMPLE + 0.38 * size
        font = _font(face, max(1, round(size)))
        draw.text((x, y), glyph.char, font=font, fill=255, anchor="ms", stroke_width=stroke)
    ground.paste(colour, (at[0] - pad, at[1] - pad), mask.reduce(SUPERSAMPLE))


def _stamp(ground: Image.Image, block: Block, at: tuple[int, int], colour: Colour) -> None:
    mask = Image.new("L", (block.width * SUPERSAMPLE, block.height * SUPERSAMPLE))
    box = [round(SUPERSAMPLE * side) - (i > 1) for i, side in enumerate(block.seal_box)]
    ImageDraw.Draw(mask).rounded_rectangle(box, round(0.07 * block.size * SUPERSAMPLE), fill=255)
    ground.paste(colour, at, mask.reduce(SUPERSAMPLE))
