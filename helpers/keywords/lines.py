"""Lines of classical verse: read from a text file, and encoded for retrieval (`helpers.keywords.line_index`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from helpers.config import ASSETS
from helpers.verse import Line

if TYPE_CHECKING:
    from helpers.chinese_clip import ImageTextEncoder

SAMPLE = ASSETS / "lines" / "lines.tsv"
BLOCK = 10_000  # lines encoded and kept at a time: a run that is killed loses no more than these


def load_lines(path: str | Path = SAMPLE) -> list[Line]:
    """The lines of a text file, without duplicates: line, author and title separated by tabs, or the line alone.

    Raises ValueError if there is none or the file is no text, OSError if it cannot be read.
    """
    try:
        lines = list(dict.fromkeys(parse_lines(Path(path).read_text(encoding="utf-8-sig"))))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not a text file in UTF-8") from error
    if not lines:
        raise ValueError(f"{path}: no lines in this file")
    return lines


def parse_lines(text: str) -> list[Line]:
    """The rows of a text as `Line`s; empty rows and columns after the third are left out."""
    rows = ([field.strip() for field in row.split("\t")] for row in text.splitlines())
    return [Line(*row[:3]) for row in rows if row[0]]


def encode_lines(encoder: ImageTextEncoder, lines: Sequence[Line]) -> np.ndarray:
    """Lines -> (L, D) float32, unit norm. Each block is kept in the cache, so a killed run goes on where it was."""
    embeds = np.empty((len(lines), encoder.dim), dtype=np.float32)
    with tqdm(total=len(lines), desc="lines", unit="line", disable=len(lines) <= BLOCK) as bar:
        for start in range(0, len(lines), BLOCK):
            block = [line.text for line in lines[start : start + BLOCK]]
            embeds[start : start + len(block)] = encoder.encode_texts(block, cache=True)
            bar.update(len(block))
    return embeds
