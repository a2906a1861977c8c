"""Judging a quatrain (绝句): form, rhyme, order of tones, tails, repetition, the places of its words.

A poem is a sequence of four strings; nothing here needs torch. The rules are those of `helpers.verse.patterns`; by
which book the characters are read is the caller's choice (`helpers.verse.readings`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby, product
from typing import NamedTuple

from helpers.characters import is_han, usual_forms
from helpers.options import FORMS
from helpers.verse.doublings import DOUBLINGS
from helpers.verse.patterns import RESCUED, licence, neighbours, rescues, tail_fault, word_starts
from helpers.verse.readings import LEVEL, OBLIQUE, Readings, enforced

Poem = Sequence[str]


class Line(NamedTuple):
    """A poet's line; without author and title where they are not known."""

    text: str
    author: str = ""
    title: str = ""


ANY = "？"  # a place at which any character may stand
LISTED = 3  # lines that begin with a keyword make a poem read like a list
FAULTS = ("form", "rhyme", "first_line", "third_line", "order", "tails", "doubling", "caesura")


class LineTones(NamedTuple):
    """One way to read a line: its pattern, the licence that puts it in order (None: nothing does), the end's fault."""

    pattern: str
    licence: str | None
    tail: str

    @property
    def faults(self) -> tuple[bool, bool, bool]:
        """What makes one reading worse than another, the worst first."""
        return self.licence is None, bool(self.tail), bool(self.licence)


def tone_pattern(line: str, readings: Readings | None = None) -> str:
    """The tones of a line: 千里江陵一日还 -> "平仄平平仄仄平"; 中 for a character that can have both."""
    options = (readings or enforced()).line_tones(line)
    return "".join("中" if len(tones) == 2 else next(iter(tones)) for tones in options)


def repeated_characters(poem: Poem) -> list[str]:
    """Characters that come back, variants of one included; 悠悠 counts as one occurrence, three in a row as more."""
    text = usual_forms("".join(poem).replace(ANY, ""))
    if len(set(text)) == len(text):
        return []
    runs = [(char, len(list(run))) for line in poem for char, run in groupby(usual_forms(line)) if is_han(char)]
    often = Counter(char for char, _ in runs)
    return sorted({char for char, length in runs if length > 2 or often[char] > 1})


def doubled_characters(poem: Poem) -> list[str]:
    """Characters that are said twice running, as in 悠悠."""
    return [char for line in poem for char, after in zip(line, line[1:], strict=False) if char == after]


def read_tones(poem: Poem, readings: Readings) -> list[LineTones]:
    """The reading of each line with the fewest faults that one order of tones gives to the whole poem."""
    options = [["".join(tones) for tones in product(*readings.line_tones(line))] for line in poem]
    ways = [_read_in_order(options, first) for first in LEVEL + OBLIQUE]
    return min(ways, key=lambda lines: [sum(column) for column in zip(*(line.faults for line in lines), strict=True)])


def _read_in_order(options: Sequence[Sequence[str]], first: str) -> list[LineTones]:
    read: list[LineTones] = []
    for number in reversed(range(len(options))):  # a licence may need the line after it
        after = read[-1].pattern if read and number % 2 == 0 else ""
        ways = [LineTones(p, licence(p, first, number), tail_fault(p)) for p in options[number]]
        ways = [
            way._replace(licence=None) if way.licence == RESCUED and not (after and rescues(after)) else way
            for way in ways
        ]
        read.append(min(ways, key=lambda way: (way.faults, not rescues(way.pattern))))
    return read[::-1]


def rhyme_of(poem: Poem, readings: Readings) -> tuple[str, str | None]:
    """How lines 2 and 4 rhyme: "level", "oblique", "neighbouring" (near level groups) or "none"; and in which group."""
    lines = poem[1::2]
    if len(lines) != 2 or not all(lines) or lines[0][-1] == lines[1][-1]:
        return "none", None
    for kind, tone in (("level", LEVEL), ("oblique", OBLIQUE)):
        first, second = (readings.end_groups(line, tone) for line in lines)
        if first & second:
            return kind, min(first & second)
    first, second = (readings.end_groups(line, LEVEL) for line in lines)
    near = {group for own in first for group in neighbours(own)} & second
    return ("neighbouring", min(near)) if near else ("none", None)


def first_line_fits(poem: Poem, readings: Readings) -> bool:
    """True if line 1 ends oblique, or rhymes with line 2, in a neighbouring group at least (邻韵)."""
    if ends_oblique(poem[0], readings):
        return True
    first, second = (readings.end_groups(line, LEVEL) for line in poem[:2])
    return bool({near for group in first for near in neighbours(group)} & second)


def ends_oblique(line: str, readings: Readings) -> bool:
    """True if a line may be read so that it ends in an oblique tone."""
    return OBLIQUE in readings.line_tones(line)[-1]


def misplaced_words(poem: Poem, words: Sequence[str]) -> list[str]:
    """The words that stand across a caesura (2|2|3, 2|3) wherever they stand."""
    return [
        word
        for word in words
        if (places := [(line.find(word), len(line)) for line in poem if word in line])
        and not any(start in word_starts(len(word), length) for start, length in places)
    ]


def is_list(poem: Poem, keywords: Sequence[str]) -> bool:
    """True if three lines or more begin with one of the keywords: it reads like a list of them."""
    return headed_lines(poem, keywords) >= LISTED


def headed_lines(poem: Poem, keywords: Sequence[str]) -> int:
    """The number of lines that begin with one of the keywords."""
    return sum(line.startswith(tuple(keywords)) for line in poem)


def check_poem(poem: Poem, words: Sequence[str] = (), readings: Readings | None = None) -> dict:
    """Judge a poem, of any number of lines of any length; the result can be written as JSON.

    Args:
        words: those it was to hold.
        readings: the book to judge by; `enforced()` if none is given.

    Returns:
        form "5x4", "7x4" or None · length whether it has a form · rhyme lines 2 and 4 end in different characters of
        one level group · rhyme_kind "level", "oblique", "neighbouring", "none" · rhyme_group · first_line, third_line
        whether they end as they should · tones a pattern for each line · tonal 平仄 in order · licences, tails the
        licence and the fault of each line, "" where there is none · repeats characters used again · doubled characters
        said twice running · placed, missing the words that stand in it and the others · caesura words that straddle one
        · faults the names in `FAULTS` of what is wrong
    """
    readings = readings or enforced()
    form = next((name for name, n in FORMS.items() if [len(line) for line in poem] == [n] * 4), None)
    form = form if all(is_han(char) for line in poem for char in line) else None
    kind, group = rhyme_of(poem, readings) if len(poem) == 4 else ("none", None)
    read = read_tones(poem, readings) if form else []
    old = kind == "oblique"  # verse of an older kind, in which lines 1 and 3 may end as they like
    placed = [word for word in words if any(word in line for line in poem)]
    report = {
        "form": form,
        "length": form is not None,
        "rhyme": kind == "level",
        "rhyme_kind": kind,
        "rhyme_group": group,
        "first_line": form is not None and (old or first_line_fits(poem, readings)),
        "third_line": form is not None and (old or ends_oblique(poem[2], readings)),
        "tones": [tone_pattern(line, readings) for line in poem],
        "tonal": bool(read) and all(line.licence is not None for line in read),
        "licences": [line.licence or "" for line in read],
        "tails": [line.tail for line in read],
        "repeats": repeated_characters(poem),
        "doubled": doubled_characters(poem),
        "placed": placed,
        "missing": [word for word in words if word not in placed],
        "caesura": misplaced_words(poem, placed),
    }
    return report | {"faults": _faults(report)}


def _faults(report: dict) -> list[str]:
    doubled = report["doubled"]
    right = {
        "form": report["length"],
        "rhyme": report["rhyme"],
        "first_line": report["first_line"],
        "third_line": report["third_line"],
        "order": report["tonal"],
        "tails": not any(report["tails"]),
        "doubling": len(doubled) < 2 and DOUBLINGS.issuperset(doubled),
        "caesura": not report["caesura"],
    }
    return [name for name in FAULTS if not right[name]]
