"""Tables of phrases to ask a picture about: what kind of picture, from where, which season, what mood, what verse says.

phrases.tsv holds those made for this purpose, each with an English gloss; the categories of keyword.txt follow as
tables of their own. No phrase stands in two tables.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

from helpers.config import ASSETS
from helpers.keywords.vocabulary import load_vocabulary

FLAWS = "flaw"  # what is wrong with a picture; asked for in the negative alone
VERSE = "verse"  # phrases of 诗学含英, an 18th-century book for those who write poems
CHINESE = {
    "medium": "媒介", "view": "视角", "season": "季节", "weather": "天气", "light": "光影", "time": "时分",
    "colour": "色彩", "mood": "气氛", "place": "地方", VERSE: "诗语", FLAWS: "瑕疵",
    "sky": "天象", "mountain": "山岳", "water": "江海", "land": "大地", "forest": "林木", "flower": "花",
    "plant": "草", "animal": "鸟兽", "people": "人物", "building": "楼台", "boat": "舟船", "object": "器物",
    "food": "饮食",
}  # fmt: skip


class Phrase(NamedTuple):
    """A phrase, what it looks like in English, and the table that it stands in."""

    text: str
    gloss: str
    table: str


@cache
def load_phrases(path: Path = ASSETS / "phrases.tsv") -> tuple[Phrase, ...]:
    """All phrases, table by table: of phrases.tsv, and the words of keyword.txt that a picture can show.

    Rows of the file: table, phrase, gloss, separated by tabs; # starts a comment. Of a phrase in two tables the first
    counts.
    """
    rows = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if line[:1] not in ("", "#"))
    made = [Phrase(text, gloss, table) for table, text, gloss in rows]
    words = [Phrase(word.word, word.gloss, word.category) for word in load_vocabulary() if word.photos is not None]
    found: dict[str, Phrase] = {}
    for phrase in [*made, *words]:
        found.setdefault(phrase.text, phrase)
    order = {table: i for i, table in enumerate(dict.fromkeys(phrase.table for phrase in found.values()))}
    return tuple(sorted(found.values(), key=lambda phrase: order[phrase.table]))
