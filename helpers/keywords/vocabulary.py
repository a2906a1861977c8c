"""keyword.txt, the imagery vocabulary, and word lists of the reader."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

from helpers.config import ASSETS

LABELLED = 828  # photographs for which readers named the words of keyword.txt that they saw
ANY_WORD = 1  # photographs that a word of the reader's own counts for


class Keyword(NamedTuple):
    """A word of poetic imagery, its category, what it looks like in English, and how often it is seen.

    `photos`: in how many of `LABELLED` photographs it was named; None for a word that no picture can show by itself
    (东风, 昆仑), which a poem may still associate.
    """

    word: str
    category: str
    gloss: str
    photos: int | None


@cache
def load_vocabulary(path: Path = ASSETS / "keyword.txt") -> tuple[Keyword, ...]:
    """The rows of keyword.txt: word, category, gloss, photographs or "-", separated by tabs; # starts a comment."""
    rows = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if line[:1] not in ("", "#"))
    return tuple(Keyword(*row[:3], None if row[3] == "-" else int(row[3])) for row in rows)


def read_words(path: str | Path) -> list[str]:
    """A word list, one word a line, without duplicates. Raises ValueError if there is none."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not a text file in UTF-8") from error
    words = list(dict.fromkeys(line.strip() for line in text.splitlines()))
    words = [word for word in words if word]
    if not words:
        raise ValueError(f"{path}: no words in this file")
    return words
