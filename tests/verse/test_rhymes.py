"""verse.rhymes: the rhyme table against poems that everybody knows."""

import pytest

from helpers.characters import is_han, usual_forms
from helpers.verse import level_rhymes, tones, usual_readings
from tests.samples import OBLIQUE, RHYMES


@pytest.mark.parametrize(
    "chars, group",
    [
        ("东风红中", "一东"),
        ("山间还关", "十五删"),
        ("流楼秋舟", "十一尤"),
        ("光霜乡", "七阳"),
        ("天眠船先", "一先"),
        ("溪啼西", "八齐"),
        ("为时诗", "四支"),
        ("楼樓", "十一尤"),
        ("云雲", "十二文"),
        ("余馀餘", "六鱼"),
    ],
)
def test_characters_stand_in_their_level_group(chars: str, group: str) -> None:
    assert [char for char in chars if group not in level_rhymes(char)] == []


def test_groups_are_kept_apart() -> None:
    assert level_rhymes("风") == {"一东"}  # 一东 and 二冬 sound alike today
    assert level_rhymes("农") == {"二冬"}
    assert level_rhymes("平") == {"八庚", "一先"}
    assert level_rhymes("衡") == {"八庚"}  # a misprint of the table, also in 二冬
    assert level_rhymes("月") == level_rhymes("a") == level_rhymes("□") == frozenset()


def test_tones() -> None:
    assert tones("天") == {"平"}
    assert tones("雪") == {"仄"}
    assert tones("看") == {"平", "仄"}
    assert tones("x") == frozenset()
    for group, chars in RHYMES.items():
        assert all("平" in tones(char) and group in level_rhymes(char) for char in chars)
    assert all("仄" in tones(char) for char in OBLIQUE)


def test_usual_readings_leave_out_rare_ones() -> None:
    def groups(char: str) -> set[str]:
        return {reading.group for reading in usual_readings(char)}

    assert groups("平") == {"八庚"}
    assert groups("梦") == {"一送"} and "一东" in level_rhymes("梦")
    assert "十一尤" not in groups("不") and "十一尤" in level_rhymes("不")
    assert {"十五删"} <= groups("间") and {"十四寒"} <= groups("看") and {"一东"} <= groups("空")


def test_is_han() -> None:
    assert all(map(is_han, "一龥〇㐀𠀀"))
    assert not any(map(is_han, ["", "a", "，", "。", "▁", "あ", "□", "山水"]))


def test_usual_forms() -> None:
    assert usual_forms("簷前櫂影遶馀霞") == "檐前棹影绕余霞"
    assert usual_forms(usual_forms("髪鬭谿")) == "发斗溪"
