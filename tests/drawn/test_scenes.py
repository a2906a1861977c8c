"""What the drawn scenes hold and how they are told; `test_painter` judges the pictures."""

import re
from dataclasses import fields, replace

import pytest

from helpers.drawn import (
    BIRDS,
    LANDS,
    LIGHTS,
    PAIRS,
    PLANTS,
    SPLITS,
    THINGS,
    WATERS,
    WEATHERS,
    Scene,
    all_tellings,
    captions_en,
    captions_zh,
    sample_scenes,
    split_of,
)

NAMES = [field.name for field in fields(Scene) if field.name != "seed"]
EN_SAID = {
    "dawn": "dawn|daybreak|morning",
    "day": r"\bday\b|daytime|daylight",
    "dusk": "dusk|evening|nightfall",
    "night": "night|after dark",
    "clear": "clear",
    "mist": "mist",
    "rain": "rain",
    "snow": "snow",
    "sun": r"\bsun\b",
}
ZH_SAID = {
    "dawn": "拂晓|清晨|晨光",
    "day": "白日|白昼|日间|白天",
    "dusk": "暮|黄昏",
    "night": "夜",
    "clear": "晴|清",
    "mist": "雾",
    "rain": "雨",
    "snow": "雪",
    "sun": "日|阳",
    "full moon": "圆月|满月",
    "crescent moon": "新月|月牙",
    "mountains": "山|峦",
    "hills": "丘",
    "cliff": "崖|壁",
    "peak": "峰",
    "river": "江",
    "lake": "湖",
    "waterfall": "瀑布",
    "willow": "柳",
    "pine": "松",
    "plum blossom": "梅",
    "lotus": "荷|莲",
    "bamboo": "竹",
    "maple": "枫",
    "reeds": "芦",
    "chrysanthemum": "菊",
    "boat": "舟|船",
    "bridge": "桥",
    "pavilion": "亭",
    "pagoda": "塔",
    "lantern": "灯笼",
    "hut": "屋|舍",
    "fisherman": "渔",
    "umbrella": "伞",
    "geese": "雁",
    "crane": "鹤",
    "swallows": "燕",
}


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [scene for split in SPLITS for scene in sample_scenes(split, 300)]


def telling(scene: Scene) -> tuple[str, ...]:
    return tuple(getattr(scene, name) for name in NAMES)


def test_the_same_seed_gives_the_same_scenes_and_more_only_add_to_them():
    many = sample_scenes("test", 300, seed=4)
    assert sample_scenes("test", 300, seed=4) == many
    assert sample_scenes("test", 100, seed=4) == many[:100]
    assert sample_scenes("test", 100, seed=5) != many[:100]
    assert sample_scenes("test", 0) == []


@pytest.mark.parametrize("split", SPLITS)
def test_no_two_scenes_of_a_split_tell_the_same(split):
    drawn = sample_scenes(split, 4000)
    assert len({telling(scene) for scene in drawn}) == 4000
    assert len({scene.seed for scene in drawn}) > 3990


def test_pairs_of_plant_and_thing_are_held_out():
    pairs = {split: {(row[5], row[6]) for row in all_tellings(split)} for split in SPLITS}
    assert not pairs["train"] & pairs["val"] and not pairs["train"] & pairs["test"] and not pairs["val"] & pairs["test"]
    assert ("willow", "pagoda") in pairs["test"]
    total = len(PLANTS) * len(THINGS)
    assert sum(map(len, pairs.values())) == total
    assert 0.12 < len(pairs["val"]) / total < 0.18 and 0.17 < len(pairs["test"]) / total < 0.23
    assert all((plant, thing) in pairs[split_of(plant, thing)] for plant in PAIRS for thing in THINGS)


@pytest.mark.parametrize("split", SPLITS)
def test_every_word_occurs_in_every_split(split):
    for name, words in zip(
        ("light", "weather", "land", "water", "plant", "thing", "bird"),
        (LIGHTS, WEATHERS, LANDS, WATERS, PLANTS, THINGS, BIRDS),
        strict=True,
    ):
        assert {row[NAMES.index(name)] for row in all_tellings(split)} == set(words)


def test_scenes_make_sense(scenes):
    for scene in scenes:
        assert not (scene.light == "night" and scene.body == "sun")
        assert not (scene.light in ("dawn", "day") and "moon" in scene.body)
        assert not (scene.weather in ("rain", "snow") and scene.body)
        assert not (scene.weather == "snow" and scene.plant in ("lotus", "willow", "maple"))
        if scene.plant == "lotus" or scene.thing in ("boat", "bridge"):
            assert scene.water in ("river", "lake")


def test_errors_are_one_line():
    for call in (
        lambda: sample_scenes("dev", 3),
        lambda: sample_scenes("val", 10**6),
        lambda: sample_scenes("val", -1),
    ):
        with pytest.raises(ValueError, match=r"\A[^\n]+\Z"):
            call()


@pytest.mark.parametrize("captions", [captions_en, captions_zh])
def test_five_different_captions_and_always_the_same_ones(captions, scenes):
    for scene in scenes:
        assert len(set(captions(scene))) == 5
    assert captions(scenes[0]) == captions(replace(scenes[0]))


@pytest.mark.parametrize(("captions", "said"), [(captions_en, EN_SAID), (captions_zh, ZH_SAID)])
def test_captions_name_what_is_there(captions, said, scenes):
    for scene in scenes:
        for number, caption in enumerate(captions(scene)):
            told = [word for word in telling(scene) if word]
            missing = [word for word in told if not re.search(said.get(word, word), caption)]
            assert scene.plant not in missing and scene.thing not in missing, caption
            assert number > 1 or not missing, (caption, missing)
            assert {scene.weather, scene.body}.isdisjoint(missing), (caption, missing)
            for other in {*PLANTS, *THINGS, *BIRDS[:-1]} - set(told):
                assert not re.search(said.get(other, rf"\b{other}\b"), caption), (caption, other)


@pytest.mark.parametrize(("captions", "said"), [(captions_en, EN_SAID), (captions_zh, ZH_SAID)])
def test_the_later_captions_leave_something_out(captions, said, scenes):
    shorter = 0
    for scene in scenes:
        minor = [word for word in (scene.land, scene.water, scene.bird) if word]
        for caption in captions(scene)[2:]:
            shorter += any(not re.search(said.get(word, word), caption) for word in minor)
    assert shorter > 0.6 * 3 * len(scenes)


def test_english_grammar(scenes):
    for scene in scenes:
        for caption in captions_en(scene):
            assert caption == caption.lower().strip() and len(caption.split()) <= 38, caption
            assert not re.search(r"\ba [aeio]|\ban [^aeiou]|  | ,|,,|, and with|,$|\b(\w+) \1\b", caption), caption
            assert not re.search(r"\b(left|right)\b", caption), caption
            assert re.fullmatch(r"[a-z',\- ]+", caption), caption


def test_chinese_punctuation(scenes):
    for scene in scenes:
        for caption in captions_zh(scene):
            assert re.fullmatch(r"[\u4e00-\u9fff]+(，[\u4e00-\u9fff]+)+", caption), caption
            assert not re.search("左|右|(.)\\1\\1", caption), caption
            assert len(caption) <= 60
