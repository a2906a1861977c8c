"""verse.rules: beside the judge on whole poems, and beside the constraints on lines that are being written."""

import random
from itertools import product

import pytest
import torch

from helpers.config import ASSETS
from helpers.poems import read_split
from helpers.verse import ANY, ToneConstraint, VerseConstraint, VerseRules, check_poem, level_groups, may_end
from tests.samples import (
    BAIDI,
    CHARS,
    HERON_TOWER,
    MAPLE_BRIDGE,
    NIGHT_THOUGHTS,
    RHYMES,
    RIVER_SNOW,
    make_tokenizer,
)

# Without 江窗双: `VerseConstraint` opens no rhyme of which the vocabulary has so few characters, the rules would.
VOCABULARY = [char for char in dict.fromkeys(CHARS + "梦") if char not in RHYMES["三江"]]
TOKENIZER = make_tokenizer(VOCABULARY)
NONE = {"rhyme": False, "no_repeat": False, "tone": False}


def admits_all(poem: list[str], **rules: bool) -> bool:
    """Whether each line may follow the ones before."""
    judge = VerseRules(len(poem[0]), **NONE | rules)
    return all(judge.admit(poem[:n], line) for n, line in enumerate(poem))


@pytest.mark.parametrize("poem", [HERON_TOWER, NIGHT_THOUGHTS, BAIDI, RIVER_SNOW, MAPLE_BRIDGE])
def test_tang_quatrains(poem: list[str]) -> None:
    judged = check_poem(poem)
    assert admits_all(poem)
    assert admits_all(poem, rhyme=True) is judged["rhyme"]
    assert admits_all(poem, no_repeat=True) is not bool(judged["repeats"])
    assert admits_all(poem, tone=True) is judged["tonal"]


def test_a_thousand_quatrains() -> None:
    rhymed = 0
    for poem in (poem.lines for split in ("valid", "test") for poem in read_split(ASSETS / "poems", split)):
        judged = check_poem(poem)
        assert admits_all(poem, no_repeat=True) is not bool(judged["repeats"]), poem
        assert admits_all(poem, tone=True) is judged["tonal"], poem
        if admits_all(poem, rhyme=True):  # stricter: no rare readings, and an oblique third line
            rhymed += 1
            assert judged["rhyme"], poem
    assert rhymed > 600


@pytest.mark.parametrize(
    ("earlier", "char", "fits"),
    [
        ([], "月", True),
        ([], "流", True),
        (HERON_TOWER[:1], "流", True),
        (HERON_TOWER[:1], "月", False),  # oblique
        (HERON_TOWER[:1], "梦", False),  # level only in a reading that nobody expects
        (HERON_TOWER[:2], "目", True),
        (HERON_TOWER[:2], "楼", False),
        (HERON_TOWER[:2], "看", False),  # both tones
        (HERON_TOWER[:3], "楼", True),
        (HERON_TOWER[:3], "流", False),  # the same character is no rhyme
        (HERON_TOWER[:3], "山", False),  # level, of another group
        (["", "梦", ""], "风", True),  # where the rhyme is there in a rare reading only, that one counts
        (["", "月", ""], "雪", False),
        (["", "平", ""], "明", True),
        (["", "平", ""], "天", False),  # 平 is in the group of 天 too, but rarely
    ],
)
def test_may_end(earlier: list[str], char: str, fits: bool) -> None:
    assert may_end(earlier, char) is fits


def test_level_groups() -> None:
    assert level_groups("平") == {"八庚"} and level_groups("梦") == level_groups("月") == set()


@pytest.mark.parametrize(
    ("line", "fits"),
    [
        ("更上", True),
        ("更上一层楼", True),
        ("更上一层楼台", False),  # too long
        ("更上一层山", False),  # no rhyme
        ("更上一天", True),  # not at its end yet
        ("更日", False),  # 日 stands in line 1
        ("更天", False),  # 平 where 仄 is due
        ("更天一层楼", False),
        ("？？？？楼", True),
        ("？？？？山", False),
        ("？上？层楼", True),
        ("？？？月楼", False),  # 仄 where 平 is due
        ("悠悠", False),  # 悠 is level
        ("笑笑", True),  # the same character twice in a row is a word
        ("笑？笑", False),
        ("笑笑笑", False),
    ],
)
def test_a_last_line(line: str, fits: bool) -> None:
    assert VerseRules(5, tone=True).admit(HERON_TOWER[:3], line) is fits


def test_a_line_that_is_too_long() -> None:
    free = VerseRules(5, **NONE)
    assert free.admit([], "更上一层楼") and not free.admit([], "更上一层楼上") and free.admit([], "")


def test_switches() -> None:
    repeats, no_rhyme, no_tone = "更上一山楼", "更上一层天", "更天一层楼"
    assert [VerseRules(5, tone=False).admit(HERON_TOWER[:3], line) for line in (repeats, no_rhyme, no_tone)] == [
        False,
        False,
        True,
    ]
    assert VerseRules(5, no_repeat=False, tone=False).admit(HERON_TOWER[:3], repeats)
    assert VerseRules(5, rhyme=False, tone=False).admit(HERON_TOWER[:3], no_rhyme)
    assert not VerseRules(5, tone=True).admit(HERON_TOWER[:3], no_tone)


def test_all_rules_are_on_unless_switched_off() -> None:
    assert VerseRules(5) == VerseRules(5, rhyme=True, no_repeat=True, tone=True)
    assert not VerseRules(5).admit(HERON_TOWER[:3], "更天一层楼")


def test_any_character() -> None:
    """？ comes twice without being a repetition, has every tone, and takes up a place."""
    rules = VerseRules(5)
    assert ANY == "？" and len(ANY) == 1
    assert rules.admit(HERON_TOWER[:3], ANY * 4) and rules.admit(HERON_TOWER[:3], ANY * 4 + "楼")
    assert not rules.admit(HERON_TOWER[:3], ANY * 6) and not rules.admit(HERON_TOWER[:3], ANY * 4 + "山")


@pytest.mark.parametrize(
    ("earlier", "line", "firsts"),
    [
        ([], "白日", "仄"),
        ([], "白天", "平"),
        ([], "白看", "平仄"),  # both tones
        ([], "白？？天", "仄"),  # 平 at 4 asks for 仄 at 2
        ([], "白", "平仄"),
        ([], "白日依日", ""),
        (HERON_TOWER[:1], "黄河", "仄"),
        (HERON_TOWER[:1], "黄入", ""),
        (HERON_TOWER[:3], "更上", "仄"),
    ],
)
def test_the_order_of_tones_can_be_settled(earlier: list[str], line: str, firsts: str) -> None:
    """`firsts`: those for which the line is admitted."""
    rules = VerseRules(5, no_repeat=False)
    assert "".join(first for first in "平仄" if rules.admit(earlier, line, first)) == firsts
    assert rules.admit(earlier, line) is rules.admit(earlier, line, "平仄") is bool(firsts)
    assert all(VerseRules(5, no_repeat=False, tone=False).admit(earlier, line, first) for first in "平仄")


# --- beside the constraints ---


def left_by_constraints(earlier: list[str], line: str, rules: VerseRules) -> set[str]:
    """The characters that may come next."""
    options = {"rhyme": rules.rhyme, "no_repeat": rules.no_repeat}
    ids = torch.tensor([[0, *TOKENIZER.convert_tokens_to_ids(list(line))]])
    scores = VerseConstraint(TOKENIZER, rules.line_length, [earlier], **options)(ids, torch.zeros(1, len(TOKENIZER)))
    if rules.tone:
        scores = ToneConstraint(TOKENIZER, rules.line_length, [earlier])(ids, scores)
    return set(TOKENIZER.convert_ids_to_tokens(scores[0].isfinite().nonzero().flatten().tolist()))


def grow(rng: random.Random, rules: VerseRules, places: int) -> list[str]:
    """Lines, the last one unfinished, of `places` characters at most; as a rule they keep to the rules."""
    poem = [""]
    for _ in range(places):
        if len(poem[-1]) == rules.line_length:
            poem.append("")
        fitting = [char for char in VOCABULARY if rules.admit(poem[:-1], poem[-1] + char)]
        poem[-1] += rng.choice(fitting or VOCABULARY)
    return [*poem, ""] if len(poem[-1]) == rules.line_length else poem


@pytest.mark.parametrize("length", [5, 7])
@pytest.mark.parametrize(
    "rules", [NONE, {"rhyme": True}, {"no_repeat": True}, {"tone": True}, dict.fromkeys(NONE, True)],
    ids=lambda rules: "-".join(name for name, on in rules.items() if on) or "none",
)  # fmt: skip
def test_the_constraints_leave_what_is_admitted(rules: dict[str, bool], length: int) -> None:
    """Character by character; where nothing is admitted the constraints give way, and are not asked."""
    rng, judge = random.Random(0), VerseRules(length, **NONE | rules)
    asked = {"inside": 0, "end": 0}
    for _ in range(60):
        *earlier, line = grow(rng, judge, rng.randrange(4 * length))
        admitted = {char for char in VOCABULARY if judge.admit(earlier, line + char)}
        if admitted:
            asked["end" if len(line) == length - 1 else "inside"] += 1
            assert left_by_constraints(earlier, line, judge) == admitted, (earlier, line)
    assert asked["inside"] > 20 and asked["end"] > 3


def test_every_line_end() -> None:
    """Lines 2, 3 and 4 of known poems, without their last characters."""
    judge = VerseRules(5, no_repeat=False, tone=False)
    for poem in (HERON_TOWER, NIGHT_THOUGHTS):
        for n in (1, 2, 3):
            line = "".join(char if char in VOCABULARY else "不" for char in poem[n][:4])
            admitted = {char for char in VOCABULARY if judge.admit(poem[:n], line + char)}
            assert left_by_constraints(poem[:n], line, judge) == admitted
            assert 8 <= len(admitted) < len(VOCABULARY) - 8


@pytest.mark.parametrize("switches", [{}, {"rhyme": False}, {"tone": False}, {"no_repeat": False, "tone": False}])
def test_gaps_are_where_the_word_is_admitted(switches) -> None:
    """Asked one place at a time, `admit` gives the same answer."""
    poem, words = ["白日依山尽", "黄河入海流", "欲穷千里目", "更上一层楼"], ["千里", "河山", "悠悠", "楼", "目"]
    rules, found = VerseRules(5, **switches), 0
    for number, line in enumerate(poem):
        for written, word, first in product(range(5), words, "平仄"):
            begun = line[:written]
            places = range(5 - written - len(word) + 1)
            expected = [k for k in places if rules.admit(poem[:number], begun + ANY * k + word, first)]
            assert rules.gaps(poem[:number], begun, word, first) == expected
            found += len(expected)
    assert found > 50
