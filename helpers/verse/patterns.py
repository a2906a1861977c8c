"""The order of level and oblique tones (平仄) in one line, each rule defined once, for writing and for judging.

After 王力《诗词格律》, chapter 2. A pattern is a line's tones as a string, "平平仄仄仄平平". The tone of character 2 of
line 1, `first`, settles those of all even places of the poem: characters 2, 4, 6 alternate, couplets oppose each other
(对), the second takes up the first (粘).
"""

from __future__ import annotations

from functools import cache
from itertools import product

from helpers.verse.readings import LEVEL, OBLIQUE

SWAPPED = "平平仄平仄"  # for 平平平仄仄, the last five characters: the licence that poets like best (特拗)
RESCUED = "拗救"  # an oblique tone in place of the last even level one, made good by the next line's third from the end
THREE_LEVEL = "三平尾"
LONELY_LEVEL = "孤平"
NEIGHBOURS = (
    "一东 二冬", "三江 七阳", "四支 五微 八齐", "六鱼 七虞", "九佳 十灰", "九佳 六麻", "二萧 三肴 四豪",
    "十一真 十二文 十三元", "十三元 十四寒 十五删 一先", "八庚 九青 十蒸", "十三覃 十四盐 十五咸",
)  # fmt: skip


def tone_at(first: str, line: int, place: int) -> str:
    """The tone that the order asks for at a place, 1, 3 or 5 from 0, of a line, 0 to 3."""
    opposite = (line in (1, 2)) != (place % 4 == 3)
    return (LEVEL, OBLIQUE)[(first == OBLIQUE) ^ opposite]


@cache
def licence(pattern: str, first: str, line: int) -> str | None:
    """Empty if the even places are in order, else the name of the licence that excuses them, None if nothing does.

    A `RESCUED` line is in order only beside a next line that rescues it (`rescues`).
    """
    wrong = [i for i in range(1, len(pattern), 2) if pattern[i] != tone_at(first, line, i)]
    if not wrong:
        return ""
    if wrong != [len(pattern) - 2] or pattern[-1] != OBLIQUE:
        return None
    if pattern[-5:] == SWAPPED:
        return SWAPPED
    return RESCUED if pattern[-2] == OBLIQUE else None


def rescues(pattern: str) -> bool:
    """True if a line's third tone from its end is level, as the line after a `RESCUED` one needs."""
    return pattern[-3] == LEVEL


@cache
def tail_fault(pattern: str) -> str:
    """`THREE_LEVEL`, `LONELY_LEVEL`, or "": what must not be at the end of a line."""
    if pattern[-3:] == LEVEL * 3:
        return THREE_LEVEL
    return LONELY_LEVEL if pattern[-5:] == "仄平仄仄平" else ""


def end_tones(line: int) -> str:
    """The tones in which a line, 0 to 3, may end: line 1 rhymes or is oblique, 2 and 4 rhyme, 3 is oblique."""
    return (LEVEL + OBLIQUE, LEVEL, OBLIQUE, LEVEL)[line]


@cache
def patterns_to_write(length: int, first: str, line: int, tone: bool, ends: bool) -> tuple[str, ...]:
    """The patterns that a line may have while it is written: in order, without a fault at the end.

    `tone`: with the order of tones and the tails; `ends`: with the tones of the line's end. What needs the next line
    to be right (`RESCUED`) is left to poets.
    """
    every = ("".join(tones) for tones in product(LEVEL + OBLIQUE, repeat=length))
    return tuple(
        pattern
        for pattern in every
        if (not ends or pattern[-1] in end_tones(line))
        and (not tone or (licence(pattern, first, line) in ("", SWAPPED) and not tail_fault(pattern)))
    )


@cache
def neighbours(group: str) -> frozenset[str]:
    """The level group and those near enough that line 1 may rhyme with it (邻韵)."""
    return frozenset({group}.union(*(row.split() for row in NEIGHBOURS if group in row.split())))


def word_starts(length: int, line_length: int) -> range | tuple[int, ...]:
    """The places, from 0, at which a word may start so that it does not straddle the caesura (2|2|3, 2|3).

    Two characters stand in one foot, or among the last three; three are the last three; four are two feet.
    """
    feet = range(0, line_length - 3, 2)
    if length == 1:
        return range(line_length)
    if length == 2:
        return (*feet, line_length - 3, line_length - 2)
    if length == 3:
        return (line_length - 3,)
    return (0,) if length == 4 and line_length == 7 else ()
