"""verse.constraint: the rhyme table and the judge against poems everybody knows, the constraint at work."""

import json
from itertools import groupby

import pytest
import torch
from transformers import LogitsProcessorList, PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

from helpers.characters import is_han
from helpers.options import FORMS
from helpers.verse import VerseConstraint, check_poem, level_rhymes, tone_pattern, tones, usual_readings
from tests.samples import (
    BAIDI,
    CHARS,
    HERON_TOWER,
    MAPLE_BRIDGE,
    NIGHT_THOUGHTS,
    NO_VERSE,
    OBLIQUE,
    PAIRS,
    RHYMES,
    RIVER_SNOW,
    make_tokenizer,
)

# --- the rhyme table ---


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


# --- the judge ---


@pytest.mark.parametrize(
    "poem, form, group, tonal",
    [
        (HERON_TOWER, "5x4", "十一尤", True),
        (NIGHT_THOUGHTS, "5x4", "七阳", False),
        (BAIDI, "7x4", "十五删", True),
        (RIVER_SNOW, "5x4", None, False),
        (MAPLE_BRIDGE, "7x4", "一先", True),
    ],
)
def test_tang_quatrains(poem: list[str], form: str, group: str | None, tonal: bool) -> None:
    result = json.loads(json.dumps(check_poem(poem)))
    assert (result["form"], result["length"], result["tonal"]) == (form, True, tonal)
    assert (result["rhyme"], result["rhyme_group"]) == (group is not None, group)


def test_tone_patterns() -> None:
    assert [tone_pattern(line) for line in HERON_TOWER[:3]] == ["仄仄平平仄", "平平仄仄平", "仄平平仄仄"]
    assert tone_pattern(MAPLE_BRIDGE[3]) == "仄仄平平仄仄平"
    assert tone_pattern("看?天") == "中?平"


def test_order_of_lines_matters_for_tones() -> None:
    one, two, three, four = HERON_TOWER
    assert not check_poem([two, one, three, four])["tonal"]  # no 粘
    assert not check_poem([one, one, three, four])["tonal"]  # no 对
    assert not check_poem([one, two, three, "更上一目楼"])["tonal"]  # 上 and 目 are both 仄


def test_repeats() -> None:
    assert check_poem(NIGHT_THOUGHTS)["repeats"] == sorted("头明月")
    assert check_poem(BAIDI)["repeats"] == []
    assert check_poem(["悠悠天地间"])["repeats"] == []
    assert check_poem(["悠悠悠天地"])["repeats"] == ["悠"]
    assert check_poem(["悠悠天地悠"])["repeats"] == ["悠"]
    assert check_poem(["天地", "地山"])["repeats"] == ["地"]


@pytest.mark.parametrize(
    "poem",
    [
        [],
        [""] * 4,
        HERON_TOWER[:3],
        [*HERON_TOWER, "山"],
        [*HERON_TOWER[:3], "更上一层，"],
        [*BAIDI[:3], "山"],
    ],
)
def test_what_is_no_quatrain(poem: list[str]) -> None:
    result = check_poem(poem)
    assert result["form"] is None and not result["length"] and not result["tonal"]
    assert len(result["tones"]) == len(poem)


def test_a_character_does_not_rhyme_with_itself() -> None:
    assert not check_poem([HERON_TOWER[0], "黄河入海流", HERON_TOWER[2], "长江万古流"])["rhyme"]


# --- the constraint ---


SINGLE = make_tokenizer(NO_VERSE + list(CHARS))
MULTIPLE = make_tokenizer(NO_VERSE + list(CHARS) + PAIRS)


def generate(tokenizer: PreTrainedTokenizerFast, form: str, earlier: list[list[str]], **options) -> list[str]:
    """What a T5 that knows nothing writes under the constraint, as text with all that is not padding."""
    wishes = {key: options.pop(key) for key in ("rhyme", "no_repeat") if key in options}
    torch.manual_seed(0)
    # 5 logits more than tokens: published checkpoints round their vocabulary up, too.
    model = T5ForConditionalGeneration(
        T5Config(
            vocab_size=len(tokenizer) + 5, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2,
            decoder_start_token_id=0, pad_token_id=0, eos_token_id=1,
        )
    ).eval()  # fmt: skip
    out = model.generate(
        torch.randint(3, len(tokenizer), (len(earlier), 6)),
        max_new_tokens=FORMS[form] + 2,
        logits_processor=LogitsProcessorList([VerseConstraint(tokenizer, FORMS[form], earlier, **wishes)]),
        **{"do_sample": True, "top_k": 0, **options},
    )
    ended = [row.tolist().index(1) for row in out]  # every line has an end
    pieces = [tokenizer.convert_ids_to_tokens(row[1:end].tolist()) for row, end in zip(out, ended, strict=True)]
    return ["".join(row).replace("▁", "") for row in pieces]


def is_line(text: str, length: int) -> bool:
    return len(text) == length and all(map(is_han, text))


EARLIER = [HERON_TOWER[:n] for n in range(4)] * 8


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("tokenizer", [SINGLE, MULTIPLE], ids=["single", "multiple"])
@pytest.mark.parametrize(
    "options",
    [{}, {"rhyme": True}, {"no_repeat": True}, {"rhyme": True, "no_repeat": True}, {"do_sample": False}],
    ids=lambda options: "-".join(options) or "plain",
)
def test_every_line_has_its_length(tokenizer, form: str, options: dict) -> None:
    lines = generate(tokenizer, form, EARLIER, **options)
    assert len(lines) == len(EARLIER)
    assert [line for line in lines if not is_line(line, FORMS[form])] == []


def test_tokens_of_several_characters_are_used() -> None:
    lines = "|".join(generate(MULTIPLE, "7x4", [[]] * 64))
    assert sum(pair.strip("▁") in lines for pair in PAIRS) > 5


@pytest.mark.parametrize("tokenizer", [SINGLE, MULTIPLE], ids=["single", "multiple"])
def test_rhyme(tokenizer) -> None:
    """Whole poems: the lines of all are written one after the other, as the pipeline does."""
    poems: list[list[str]] = [[] for _ in range(48)]
    for _ in range(4):
        lines = generate(tokenizer, "5x4", poems, rhyme=True, no_repeat=True)
        poems = [[*poem, line] for poem, line in zip(poems, lines, strict=True)]
    for _, second, third, fourth in poems:
        (group,) = [group for group, chars in RHYMES.items() if second[-1] in chars]
        assert group != "三江"  # too few characters to open a rhyme
        assert fourth[-1] in RHYMES[group] and fourth[-1] != second[-1]
        assert third[-1] in OBLIQUE
    assert all(check_poem(poem)["rhyme"] for poem in poems)
    assert {group for group in RHYMES if any(poem[1][-1] in RHYMES[group] for poem in poems)} == {*RHYMES} - {"三江"}


def test_a_rhyme_given_from_outside_is_taken_up() -> None:
    for line in generate(SINGLE, "5x4", [["", "门外有长江", ""]] * 16, rhyme=True):
        assert line[-1] in "窗双"


@pytest.mark.parametrize("tokenizer", [SINGLE, MULTIPLE], ids=["single", "multiple"])
def test_no_repeat(tokenizer) -> None:
    earlier = [["月落风空一东红"], ["悠悠秋水", "不入不出"], []] * 32
    lines = generate(tokenizer, "7x4", earlier, no_repeat=True)
    for before, line in zip(earlier, lines, strict=True):
        assert not set(line) & set("".join(before))
        runs = [(char, len(list(run))) for char, run in groupby(line)]
        assert len({char for char, _ in runs}) == len(runs) and max(n for _, n in runs) <= 2
    assert any(len(set(line)) < 7 for line in lines), "悠悠 is allowed, and must occur among 96 lines"


def test_beams_and_return_sequences_belong_to_their_prompt() -> None:
    tops = ["东风", "秋流", "光香"]
    earlier = [["月落", f"{pair}", "雪"] for pair in tops]
    for options in ({"num_beams": 4, "do_sample": False}, {"num_beams": 3}, {}):
        lines = generate(SINGLE, "5x4", earlier, rhyme=True, no_repeat=True, num_return_sequences=3, **options)
        assert len(lines) == 9
        for i, line in enumerate(lines):
            assert is_line(line, 5) and line[-1] in list(RHYMES.values())[i // 3]
            assert not set(line) & set("".join(earlier[i // 3]))


def allowed(tokenizer, earlier: list[str], so_far: list[str], length: int = 5, **wishes) -> set[str]:
    """The tokens that may come next."""
    ids = torch.tensor([[0, *tokenizer.convert_tokens_to_ids(so_far)]])
    scores = VerseConstraint(tokenizer, length, [earlier], **wishes)(ids, torch.zeros(1, len(tokenizer)))
    assert set(scores.flatten().tolist()) <= {0.0, -torch.inf}
    return set(tokenizer.convert_ids_to_tokens(scores[0].isfinite().nonzero().flatten().tolist()))


def test_what_may_come_next() -> None:
    tokenizer = make_tokenizer([*NO_VERSE, "▁", *"天地玄黄宇", "▁悠悠", "悠", "悠然", "地天地", "悠悠"])
    plain = {*"天地玄黄宇悠", "▁悠悠", "悠然", "地天地", "悠悠"}
    assert allowed(tokenizer, [], []) == plain | {"▁"}
    assert allowed(tokenizer, [], ["▁"]) == plain  # the word mark only at the beginning
    assert allowed(tokenizer, [], [*"天地玄黄"]) == {*"天地玄黄宇悠"}
    assert allowed(tokenizer, [], ["悠然", "地天地"]) == {"</s>"}
    assert allowed(tokenizer, [], [], no_repeat=True) == (plain | {"▁"}) - {"地天地"}
    assert allowed(tokenizer, ["玄"], ["天"], no_repeat=True) == {*"天地黄宇悠", "▁悠悠", "悠然", "悠悠"}
    assert allowed(tokenizer, [], ["天", "悠"], no_repeat=True) == {*"地玄黄宇悠", "悠然"}
    for twice in (["悠", "悠"], ["悠悠"], ["▁悠悠"]):
        assert allowed(tokenizer, [], ["天", *twice], no_repeat=True) == {*"地玄黄宇"}
    assert allowed(tokenizer, ["悠"], ["天"], no_repeat=True) == {*"天地玄黄宇"}


def test_the_rest_of_a_line_can_always_be_filled() -> None:
    tokenizer = make_tokenizer(["明月", "夕阳红"])
    assert allowed(tokenizer, [], []) == {"明月", "夕阳红"}
    assert allowed(tokenizer, [], ["明月"]) == {"夕阳红"}  # two more would leave one
    assert all(is_line(line, 7) for line in generate(tokenizer, "7x4", [[]] * 16))
    with pytest.raises(ValueError, match="add up to 5"):
        VerseConstraint(make_tokenizer(["明月", "清风"]), 5, [[]])


def test_wishes_give_way_in_order() -> None:
    tokenizer = make_tokenizer([*"东风月雪"])
    # Nothing unused is left: repeat.
    assert allowed(tokenizer, ["东风月雪"], [], no_repeat=True) == {*"东风月雪"}
    # 风 is the only rhyme of 东 and is used: repeat it rather than not rhyme.
    both = {"rhyme": True, "no_repeat": True}
    assert allowed(tokenizer, ["风", "月东", "雪"], [*"月月雪雪"], **both) == {"风"}
    # Nothing rhymes with 月: the length remains.
    assert allowed(tokenizer, ["", "月", ""], [*"东东风风"], rhyme=True) == {*"东风月雪"}
    # No group has enough characters to open a rhyme.
    assert allowed(tokenizer, [""], [*"东东风风"], rhyme=True) == {*"东风月雪"}
    lines = generate(tokenizer, "7x4", [["东风月雪"], ["月", "雪"], ["月", "雪", "月"]] * 8, **both)
    assert all(is_line(line, 7) for line in lines)
    # The rows of a batch give way one by one.
    rows = VerseConstraint(tokenizer, 5, [["东风月雪"], ["东"]], no_repeat=True)
    scores = rows(torch.zeros(2, 1, dtype=torch.long), torch.zeros(2, len(tokenizer)))
    assert scores.isfinite().sum(1).tolist() == [4, 3]


def test_scores_of_allowed_tokens_stay_as_they_are() -> None:
    scores = torch.randn(4, len(SINGLE) + 9)
    before = scores.clone()
    after = VerseConstraint(SINGLE, 5, [[], ["月"]])(torch.zeros(4, 1, dtype=torch.long), scores)
    assert torch.equal(scores, before) and after.shape == scores.shape
    kept = after.isfinite()
    assert torch.equal(after[kept], scores[kept]) and (after[~kept] == -torch.inf).all()
    assert kept.sum(1).tolist() == [len(set(CHARS))] * 4


def test_beams_that_have_ended_may_hold_anything() -> None:
    ids = torch.tensor([[0, *SINGLE.convert_tokens_to_ids([*"月日雪落叶"]), 1, 0, len(SINGLE) + 3]])
    scores = VerseConstraint(SINGLE, 5, [[]], no_repeat=True)(ids, torch.zeros(1, len(SINGLE) + 5))
    assert scores.isfinite().nonzero().tolist() == [[0, SINGLE.eos_token_id]]


def test_wrong_use_is_refused() -> None:
    start = torch.zeros(3, 1, dtype=torch.long)
    with pytest.raises(ValueError, match="3 rows for 2 prompts"):
        VerseConstraint(SINGLE, 5, [[], []])(start, torch.zeros(3, len(SINGLE)))
    with pytest.raises(ValueError, match="scores"):
        VerseConstraint(SINGLE, 5, [[]])(start, torch.zeros(3, len(SINGLE) - 1))
    with pytest.raises(ValueError, match="three lines"):
        VerseConstraint(SINGLE, 5, [HERON_TOWER])
    with pytest.raises(ValueError, match="end token"):
        VerseConstraint(PreTrainedTokenizerFast(tokenizer_object=SINGLE.backend_tokenizer), 5, [[]])
