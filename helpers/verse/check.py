"""Judging a quatrain (绝句): four lines of 5 or 7 characters, a level rhyme, an order of tones.

The rules of tone follow 王力《诗词格律》. A poem is a sequence of four strings; nothing here needs torch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from helpers.characters import is_han
from helpers.options import FORMS
from helpers.verse.rhymes import level_rhymes, rhyme_table, tones

Poem = Sequence[str]


class Line(NamedTuple):
    """A poet's line; without author and title where they are not known."""

    text: str
    author: str = ""
    title: str = ""


ANY = "？"  # a place at which any character may stand


def tone_pattern(line: str) -> str:
    """The tones of a line: 千里江陵一日还 -> "平仄平平仄仄平"; 中 for a character with both, ? for an unknown one."""
    return "".join("中" if len(found := tones(char)) == 2 else "".join(found) or "?" for char in line)


def in_tonal_order(poem: Poem, first: str) -> bool:
    """True if 平 and 仄 keep their order in the lines so far, if character 2 of line 1 is `first` of the two.

    Characters 2, 4, 6 alternate, couplets oppose each other (对), the second takes up the first (粘): the tone of one
    character settles all others. Those with both tones, or in no table, pass.
    """
    places = ((n, i, char) for n, line in enumerate(poem) for i, char in enumerate(line) if i % 2)
    return all(tone_at(first, n, i) in (tones(char) or "平仄") for n, i, char in places)


def tone_at(first: str, line: int, place: int) -> str:
    """The tone that the order asks for at a place, 1, 3 or 5 from 0, of a line, 0 to 3; see `in_tonal_order`."""
    opposite = (line in (1, 2)) != (place % 4 == 3)
    return "平仄"["平仄".index(first) ^ opposite]


def repeated_characters(poem: Poem) -> list[str]:
    """Characters that come back; 悠悠 counts as one occurrence, three in a row as more."""
    text = "".join(poem).replace(ANY, "")
    if len(set(text)) == len(text):  # nearly always, and this is asked for every draft at every step
        return []
    runs = [(char, len(list(run))) for line in poem for char, run in groupby(line) if is_han(char)]
    often = Counter(char for char, _ in runs)
    return sorted({char for char, length in runs if length > 2 or often[char] > 1})


def doubled_characters(poem: Poem) -> list[str]:
    """Characters that are said twice running, as in 悠悠: fine once, mannered when a poem has several."""
    return [char for line in poem for char, after in zip(line, line[1:], strict=False) if char == after]


def check_poem(poem: Poem) -> dict:
    """Judge a poem, of any number of lines of any length; the result can be written as JSON.

    form "5x4", "7x4" or None · length whether it has a form · rhyme, rhyme_group lines 2 and 4 end in
    different characters of one level group · repeats characters used again · tones a pattern for each line
    · tonal 平仄 in order
    """
    form = next((name for name, n in FORMS.items() if [len(line) for line in poem] == [n] * 4), None)
    form = form if all(is_han(char) for line in poem for char in line) else None
    ends = [line[-1:] for line in poem[1::2]] if len(poem) == 4 else ["", ""]
    shared = level_rhymes(ends[0]) & level_rhymes(ends[1]) if ends[0] != ends[1] else ()
    return {
        "form": form,
        "length": form is not None,
        "rhyme": bool(shared),
        "rhyme_group": min(shared, key=lambda g: sum(rhyme_table()[c]["平", g][1] for c in ends), default=None),
        "repeats": repeated_characters(poem),
        "tones": [tone_pattern(line) for line in poem],
        "tonal": form is not None and any(in_tonal_order(poem, first) for first in "平仄"),
    }
