"""helpers.poems: what counts as a quatrain, both corpora read from files made here, keywords, the T5's texts."""

import json
import random
from collections import Counter

import pytest

from helpers.poems import (
    Quatrain,
    count_words,
    is_quatrain,
    read_ccpc,
    read_chinese_poetry,
    sample_keywords,
    segment,
    source_text,
    target_text,
    without_shared_lines,
    words_of,
)

HERON_TOWER = ("白日依山尽", "黄河入海流", "欲穷千里目", "更上一层楼")  # 王之涣《登鹳雀楼》
NIGHT_THOUGHTS = ("床前明月光", "疑是地上霜", "举头望明月", "低头思故乡")  # 李白《静夜思》
BAIDI = ("朝辞白帝彩云间", "千里江陵一日还", "两岸猿声啼不住", "轻舟已过万重山")  # 李白《早发白帝城》
AUTUMN = ("空山新雨后", "天气晚来秋", "明月松间照", "清泉石上流")  # 王维《山居秋暝》


@pytest.mark.parametrize(
    "lines, verdict",
    [
        (HERON_TOWER, True),
        (list(BAIDI), True),
        (HERON_TOWER[:3], False),
        (HERON_TOWER * 2, False),  # eight lines: regulated verse
        ((*HERON_TOWER[:3], BAIDI[0]), False),  # mixed lengths
        (("白日依山", "黄河入海", "欲穷千里", "更上层楼"), False),  # four characters
        ((*HERON_TOWER[:3], "更上一层□"), False),  # a character lost in the source
        ((*HERON_TOWER[:3], "更上一层,"), False),
        ((), False),
    ],
)
def test_is_quatrain(lines, verdict) -> None:
    assert is_quatrain(lines) is verdict


def test_form() -> None:
    assert (Quatrain(HERON_TOWER).form, Quatrain(BAIDI).form) == ("5x4", "7x4")


def write_json(path, rows) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")


def test_read_ccpc(tmp_path) -> None:
    rows = [
        {
            "dynasty": "Tang",
            "author": "王之涣",
            "content": "|".join(HERON_TOWER),
            "title": "登鹳雀楼",
            "keywords": "白日 黄河",
        },
        {"content": "|".join(HERON_TOWER[:3]), "title": "少一句", "author": "", "keywords": ""},
        {"content": "|".join(BAIDI)},
    ]
    path = tmp_path / "ccpc.json"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    assert read_ccpc(path) == [Quatrain(HERON_TOWER, "登鹳雀楼", "王之涣", ("白日", "黄河")), Quatrain(BAIDI)]


def test_read_chinese_poetry(tmp_path) -> None:
    heron = {
        "title": "登鸛雀樓",
        "author": "王之渙",
        "paragraphs": ["白日依山盡，黃河入海流。", "欲窮千里目，更上一層樓。"],
    }
    leftover = {"title": "馀", "author": "甲", "paragraphs": ["餘霞散成綺，馀香入夢來。", "欲窮千里目，更上一層樓？"]}
    regulated = {"title": "律詩", "author": "乙", "paragraphs": heron["paragraphs"] * 2}
    damaged = {"title": "缺字", "author": "丙", "paragraphs": ["白日依□盡，黃河入海流。", "欲窮千里目，更上一層樓。"]}
    longer = {
        "title": "早發白帝城",
        "author": "李白",
        "paragraphs": ["朝辭白帝彩雲間，千里江陵一日還。兩岸猿聲啼不住，輕舟已過萬重山。"],
    }
    write_json(tmp_path / "json" / "poet.tang.0.json", [heron, regulated, damaged, leftover])
    write_json(tmp_path / "json" / "poet.song.0.json", [longer])
    write_json(tmp_path / "json" / "poet.tang.1000.json", [heron | {"title": "又"}])
    write_json(
        tmp_path / "json" / "authors.tang.json",
        [heron | {"paragraphs": ["床前明月光，疑是地上霜。舉頭望明月，低頭思故鄉。"]}],
    )
    write_json(
        tmp_path / "error" / "poet.tang.0.json", [{"paragraphs": ["床前明月光，疑是地上霜。舉頭望明月，低頭思故鄉。"]}]
    )
    assert list(read_chinese_poetry(tmp_path)) == [
        Quatrain(BAIDI, "早发白帝城", "李白"),
        Quatrain(HERON_TOWER, "登鹳雀楼", "王之涣"),
        Quatrain(("余霞散成绮", "余香入梦来", "欲穷千里目", "更上一层楼"), "余", "甲"),
    ]


def test_one_shared_line_stays_two_go() -> None:
    one = Quatrain((HERON_TOWER[0], *NIGHT_THOUGHTS[1:]))
    two = Quatrain((HERON_TOWER[3], NIGHT_THOUGHTS[1], NIGHT_THOUGHTS[2], HERON_TOWER[0]))  # wherever they stand
    one_each = Quatrain((HERON_TOWER[0], AUTUMN[1], NIGHT_THOUGHTS[2], NIGHT_THOUGHTS[3]))
    refrain = Quatrain((HERON_TOWER[0], HERON_TOWER[0], *NIGHT_THOUGHTS[2:]))  # the same line twice is one line
    held_out = [Quatrain(HERON_TOWER), Quatrain(AUTUMN)]
    assert without_shared_lines([one, two, one_each, refrain], held_out) == [one, one_each, refrain]
    assert without_shared_lines([one, two], held_out, shared=1) == []
    assert without_shared_lines([one, two], []) == [one, two]


def test_words() -> None:
    assert words_of("明月松间照") == ["明月", "松间", "间照"]
    assert words_of("轻舟已过万重山") == ["轻舟", "已过", "万重", "重山"]
    assert segment("明月松间照", Counter({"松间": 3, "间照": 2})) == ["明月", "松间"]
    assert segment("明月松间照", Counter({"松间": 2, "间照": 3})) == ["明月", "间照"]
    assert segment("轻舟已过万重山", Counter({"重山": 1})) == ["轻舟", "已过", "重山"]


def test_count_words() -> None:
    counts = count_words([Quatrain(AUTUMN), Quatrain((AUTUMN[0], *HERON_TOWER[1:]))])
    assert counts["空山"] == counts["雨后"] == 2
    assert counts["明月"] == counts["山尽"] + 1 == 1
    assert sum(counts.values()) == 2 * 4 * 3


def draw(seed: int, **options) -> list[str]:
    counts = count_words([Quatrain(AUTUMN)] * 20)
    return sample_keywords(AUTUMN, counts, random.Random(seed), **options)


def test_keywords_are_parts_of_the_poem() -> None:
    sizes = Counter()
    for seed in range(300):
        keywords = draw(seed)
        sizes[len(keywords)] += 1
        assert all(any(word in line for line in AUTUMN) for word in keywords)
        assert max(Counter(next(n for n, line in enumerate(AUTUMN) if word in line) for word in keywords).values()) <= 2
        assert not any(set(a) & set(b) for i, a in enumerate(keywords) for b in keywords[:i])
    assert set(sizes) == {1, 2, 3, 4, 5} and sizes[4] == max(sizes.values())


def test_keywords_follow_the_seed() -> None:
    assert all(draw(seed) == draw(seed) for seed in range(20))
    assert len({tuple(draw(seed)) for seed in range(20)}) > 10


def test_rare_words_are_no_keywords_and_some_are_single_characters() -> None:
    counts = count_words([Quatrain(AUTUMN)] * 19)
    assert sample_keywords(AUTUMN, counts, random.Random(0)) == []
    assert {len(word) for seed in range(50) for word in draw(seed, single=0)} == {2}
    assert {len(word) for seed in range(50) for word in draw(seed, single=1)} == {1}
    assert {len(word) for seed in range(50) for word in draw(seed)} == {1, 2}


def test_the_texts_of_the_t5() -> None:
    lines = ["春山新雨后", "天气晚来秋", "明月松间照"]
    expected = "关键词:春日 细雨 余晖</s>春山新雨后</s>天气晚来秋</s>明月松间照</s>"
    assert source_text(["春日", "细雨", "余晖"], lines, "</s>") == expected
    assert source_text(["春日"], [], "</s>") == "关键词:春日</s>"
    assert target_text("清泉石上流", "</s>") == "清泉石上流</s>"
