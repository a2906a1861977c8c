"""poems.corpus: what counts as a quatrain or a fragment, both corpora read from files made here, and written again."""

import json

import pytest

from helpers.config import ASSETS
from helpers.poems import (
    Quatrain,
    is_quatrain,
    read_ccpc,
    read_chinese_poetry,
    read_fragments,
    read_split,
    write_ccpc,
)
from tests.samples import AUTUMN, BAIDI, HERON_TOWER, NIGHT_THOUGHTS, RIVER_SNOW


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
    heron = Quatrain(HERON_TOWER, "登鹳雀楼", "王之涣", ("白日", "黄河"), "Tang")
    assert read_ccpc(path) == [heron, Quatrain(BAIDI)]


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
        Quatrain(BAIDI, "早发白帝城", "李白", dynasty="Song"),
        Quatrain(HERON_TOWER, "登鹳雀楼", "王之涣", dynasty="Tang"),
        Quatrain(("余霞散成绮", "余香入梦来", "欲穷千里目", "更上一层楼"), "余", "甲", dynasty="Tang"),
    ]


def test_characters_come_in_their_usual_forms(tmp_path) -> None:
    """What OpenCC leaves as it is: 櫂, 遶, 簷; in titles too, and in CCPC's keywords."""
    poem = {"title": "櫂歌", "author": "馀慶", "paragraphs": ["廻風吹短櫂，遶屋種踈篁。", "晩照留簷角，清谿映夕陽。"]}
    write_json(tmp_path / "poet.song.0.json", [poem])
    lines = ("回风吹短棹", "绕屋种疏篁", "晚照留檐角", "清溪映夕阳")
    assert list(read_chinese_poetry(tmp_path)) == [Quatrain(lines, "棹歌", "余庆", dynasty="Song")]
    row = {"content": "廻风吹短櫂|遶屋种踈篁|晩照留簷角|清谿映夕阳", "keywords": "短櫂 簷角"}
    (tmp_path / "ccpc.json").write_text(json.dumps(row), encoding="utf-8")
    assert read_ccpc(tmp_path / "ccpc.json") == [Quatrain(lines, keywords=("短棹", "檐角"))]


def test_poems_that_differ_in_variants_alone_are_one(tmp_path) -> None:
    rows = [{"paragraphs": [f"朝行{path}遠水，暮宿近孤城。欲窮千里目，更上一層樓。"]} for path in "遶繞绕"]
    write_json(tmp_path / "poet.tang.0.json", rows)
    assert [poem.lines[0] for poem in read_chinese_poetry(tmp_path)] == ["朝行绕远水"]


def test_rows_without_paragraphs_are_passed_over(tmp_path) -> None:
    """Files of the same names beside the poems have their tones."""
    heron = {"title": "登鸛雀樓", "paragraphs": ["白日依山盡，黃河入海流。", "欲窮千里目，更上一層樓。"]}
    eight = {"title": "律", "paragraphs": ["床前明月光，疑是地上霜。舉頭望明月，低頭思故鄉。"] + heron["paragraphs"]}
    tones = {"title": "登鸛雀樓", "strains": ["仄仄平平仄，平平仄仄平。", "仄平平仄仄，仄仄仄平平。"]}
    write_json(tmp_path / "json" / "poet.tang.0.json", [tones, heron, eight])
    write_json(tmp_path / "strains" / "poet.tang.0.json", [tones])
    assert [poem.lines for poem in read_chinese_poetry(tmp_path)] == [HERON_TOWER]
    assert [poem.lines for poem in read_fragments(tmp_path)] == [NIGHT_THOUGHTS, HERON_TOWER]


def long_poem(*lines: str) -> dict:
    """As chinese-poetry has it: a couplet a paragraph."""
    couplets = [f"{one}，{other}。" for one, other in zip(lines[::2], [*lines[1::2], ""], strict=False)]
    return {"title": "長篇", "author": "丁", "paragraphs": couplets}


@pytest.mark.parametrize(
    ("lines", "fragments"),
    [
        (HERON_TOWER, []),  # a quatrain is none
        ((*HERON_TOWER, *AUTUMN), [HERON_TOWER, AUTUMN]),  # regulated verse
        ((*HERON_TOWER, *AUTUMN[:2]), [HERON_TOWER]),  # a couplet is left over
        ((*HERON_TOWER, *AUTUMN, *NIGHT_THOUGHTS[:2]), [HERON_TOWER, AUTUMN]),
        ((*HERON_TOWER, *AUTUMN, *NIGHT_THOUGHTS), [HERON_TOWER, AUTUMN, NIGHT_THOUGHTS]),
        ((*HERON_TOWER, AUTUMN[0]), []),  # an odd line: nobody knows where the couplets are
        ((*HERON_TOWER, *AUTUMN[:3]), []),
        ((*HERON_TOWER, *BAIDI), [HERON_TOWER, BAIDI]),  # of two lengths, but not within the four
        ((*HERON_TOWER[:2], *BAIDI[:2], *AUTUMN), [AUTUMN]),
        ((*HERON_TOWER, *AUTUMN[:3], "清泉石上□"), [HERON_TOWER]),
        ((*HERON_TOWER, *HERON_TOWER), [HERON_TOWER]),  # a refrain is one fragment
    ],
)
def test_fragments_of_longer_poems(lines, fragments, tmp_path) -> None:
    write_json(tmp_path / "poet.tang.0.json", [long_poem(*lines)])
    assert list(read_fragments(tmp_path)) == [Quatrain(four, "长篇", "丁", dynasty="Tang") for four in fragments]


def test_fragments_are_unique_and_simplified(tmp_path) -> None:
    traditional = long_poem(
        "白日依山盡", "黃河入海流", "欲窮千里目", "更上一層樓", "廻風吹短櫂", "遶屋種踈篁", "晩照留簷角", "清谿映夕陽"
    )  # fmt: skip
    write_json(tmp_path / "poet.song.0.json", [traditional])
    write_json(tmp_path / "poet.tang.0.json", [long_poem(*HERON_TOWER, *RIVER_SNOW)])
    found = list(read_fragments(tmp_path))
    assert [poem.lines for poem in found] == [
        HERON_TOWER, ("回风吹短棹", "绕屋种疏篁", "晚照留檐角", "清溪映夕阳"), RIVER_SNOW
    ]  # fmt: skip
    assert [poem.dynasty for poem in found] == ["Song", "Song", "Tang"]
    assert list(read_chinese_poetry(tmp_path)) == []


def test_ccpc_there_and_back(tmp_path) -> None:
    poems = [
        Quatrain(HERON_TOWER, "登鹳雀楼", "王之涣", ("白日", "黄河"), "Tang"),
        Quatrain(BAIDI),
        Quatrain(AUTUMN, dynasty="Song"),
    ]
    path = tmp_path / "poems.json"
    write_ccpc(iter(poems), path)
    assert read_ccpc(path) == poems
    first, *rest = path.read_text(encoding="utf-8").splitlines()
    assert len(rest) == 2 and json.loads(first) == {
        "dynasty": "Tang",
        "author": "王之涣",
        "content": "白日依山尽|黄河入海流|欲穷千里目|更上一层楼",
        "title": "登鹳雀楼",
        "keywords": "白日 黄河",
    }
    assert "登鹳雀楼" in first  # to be read by people too


def test_read_split(tmp_path) -> None:
    """By CCPC's names, and by ones that have a split's name in the middle of a word."""
    for names in ("ccpc_{}_v1.0.json", "quatrains_{}.json"):
        folder = tmp_path / names[:4]
        folder.mkdir()
        for split, lines in {"train": HERON_TOWER, "valid": BAIDI, "test": AUTUMN}.items():
            write_ccpc([Quatrain(lines)], folder / names.format(split))
        assert read_split(folder, "train") == [Quatrain(HERON_TOWER)]
        assert read_split(str(folder), "valid") == [Quatrain(BAIDI)]
        assert read_split(folder, "test") == [Quatrain(AUTUMN)]


def test_splits_that_cannot_be_read(tmp_path) -> None:
    with pytest.raises(ValueError, match=r"should hold one file \*_train\*\.json .* not 0"):
        read_split(tmp_path / "missing", "train")
    for number in (1, 2):
        write_ccpc([Quatrain(HERON_TOWER)], tmp_path / f"poems_train_{number}.json")
    with pytest.raises(ValueError, match="not 2"):
        read_split(tmp_path, "train")
    eight = {"content": "|".join(HERON_TOWER * 2)}
    (tmp_path / "poems_valid.json").write_text(json.dumps(eight), encoding="utf-8")
    with pytest.raises(ValueError, match=r"poems_valid\.json holds no quatrain"):
        read_split(tmp_path, "valid")


@pytest.mark.parametrize(("split", "size"), [("train", 8000), ("valid", 500), ("test", 500)])
def test_the_shipped_splits(split: str, size: int) -> None:
    poems = read_split(ASSETS / "poems", split)
    assert len({poem.lines for poem in poems}) == size
    for poem in poems:
        assert 1 <= len(poem.keywords) <= 5 and poem.dynasty in ("Tang", "Song")
        assert all(any(word in line for line in poem.lines) for word in poem.keywords), poem


@pytest.mark.parametrize("row", ['{"title": "无题"}', "[1, 2]", "no json", '{"content": 3}'])
def test_a_line_that_is_no_poem_is_named(row: str, tmp_path) -> None:
    path = tmp_path / "ccpc.json"
    path.write_text(
        json.dumps({"content": "|".join(HERON_TOWER), "keywords": None}) + "\n" + row + "\n", encoding="utf-8"
    )
    with pytest.raises(ValueError, match="ccpc.json, line 2: not a poem as THU-CCPC writes them"):
        read_ccpc(path)
