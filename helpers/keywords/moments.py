"""Words that cannot be true together: a sun that rises and one that sets, spring and autumn, stars by day.

No photograph tells a morning from an evening by its light alone, so a low sun may be either; it cannot be both.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from helpers.characters import is_han

# a moment -> characters and words that name it
MOMENTS = {
    "morning": "朝 晓 晨 旭 曙 日出 黎明 破晓 东方",
    "evening": "夕 暮 晚 昏 落日 日落 斜阳 斜日 斜照 残阳 残照 残日 落霞 余晖 返照 薄暮",
    "night": "夜 星 宵 银河 河汉 萤 灯火 月光 明月 月色 残月 新月 圆月 满月 孤月 月影 月华 烛",
    "day": "晴空 蓝天 碧空 青天 白日 烈日 骄阳 艳阳 阳光 日光 正午 彩虹 虹 晴日",
    "spring": "春",
    "summer": "夏",
    "autumn": "秋",
    "winter": "冬",
}
OTHERWISE = {"秋千", "冬青", "迎春", "虹桥", "夜光杯", "火星"}  # in which such a character means something else
TOGETHER = {  # a low sun shines too, and dusk has lamps and a first star
    "morning": {"day"},
    "evening": {"day", "night"},
    "night": {"evening"},
    "day": {"morning", "evening"},
}
TIMES, SEASONS = {"morning", "evening", "night", "day"}, {"spring", "summer", "autumn", "winter"}
NIGHT_SKY = "星 银河 河汉"  # seen by a model in any dark or dotted picture


@cache
def moments_of(word: str) -> frozenset[str]:
    """The times of day and seasons that a word names: {"evening", "autumn"} for 秋夕, none for 青山."""
    if word in OTHERWISE:
        return frozenset()
    return frozenset(moment for moment, names in MOMENTS.items() if any(name in word for name in names.split()))


def contradict(one: str, other: str) -> bool:
    """Do the two words name different times of day, or different seasons?"""
    a, b = moments_of(one), moments_of(other)
    times = a & TIMES and b & TIMES and not any(x == y or y in TOGETHER.get(x, ()) for x in a & TIMES for y in b)
    return bool(times or (a & SEASONS and b & SEASONS and not a & b & SEASONS))


def clash(word: str, others: Iterable[str]) -> bool:
    """Does it share a Chinese character with one of the others (青山, 山色), or contradict one?"""
    own = set(filter(is_han, word))
    return any(own & set(other) or contradict(word, other) for other in others)


def needs_night(word: str) -> bool:
    """Is it a thing of the night sky, to be claimed only where it is night?"""
    return word not in OTHERWISE and any(name in word for name in NIGHT_SKY.split())
