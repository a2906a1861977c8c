"""verse.processor: what it lets pass keeps the rules, with tokens of one character and of several."""

from itertools import groupby, product

import pytest
import torch
from transformers import LogitsProcessorList, PreTrainedTokenizerFast

from helpers.characters import is_han
from helpers.verse import (
    NO_PLACE,
    REPEATED,
    UNKNOWN,
    VerseProcessor,
    VerseRules,
    check_poem,
    continuations,
    word_starts,
)
from tests.samples import CHARS, HERON_TOWER, NO_VERSE, OBLIQUE, PAIRS, RHYMES, make_tokenizer, tiny_t5

SINGLE = make_tokenizer(NO_VERSE + list(CHARS))
MULTIPLE = make_tokenizer(NO_VERSE + list(CHARS) + PAIRS)
TOKENIZERS = pytest.mark.parametrize("tokenizer", [SINGLE, MULTIPLE], ids=["single", "multiple"])
FREE = VerseRules(5, rhyme=False, no_repeat=False, tone=False)


def write(tokenizer, rules: VerseRules, earlier, words=None, later=None, **wishes) -> tuple[list[str], VerseProcessor]:
    """Lines of chance under the rules: every allowed token is as likely as the others."""
    processor = VerseProcessor(tokenizer, rules, earlier, words, later, **wishes)
    ids = torch.zeros(len(earlier), 1, dtype=torch.long)
    for _ in range(rules.line_length + 2):
        scores = processor(ids, torch.zeros(len(earlier), len(tokenizer) + 3))
        ids = torch.cat([ids, scores.softmax(1).multinomial(1)], 1)
    ends = [row.index(1) for row in ids.tolist()]  # every line has an end
    pieces = [tokenizer.convert_ids_to_tokens(row[1:end]) for row, end in zip(ids.tolist(), ends, strict=True)]
    return ["".join(row).replace("▁", "") for row in pieces], processor


def poems(tokenizer, rules: VerseRules, words: list[list[str]], acrostic: str = "") -> list[list[str]]:
    torch.manual_seed(0)
    lines: list[list[str]] = [[] for _ in words]
    for n in range(4):
        own, later = [row[n] if row[n:] else None for row in words], [row[n + 1 :] for row in words]
        wishes = {"head": acrostic[n : n + 1], "later_heads": acrostic[n + 1 :]}
        new, _ = write(tokenizer, rules, lines, own, later, **wishes)
        lines = [[*poem, line] for poem, line in zip(lines, new, strict=True)]
    return lines


def allowed(tokenizer, earlier: list[str], so_far: list[str], rules: VerseRules = FREE, **wishes) -> set[str]:
    """The tokens that may come next."""
    ids = torch.tensor([[0, *tokenizer.convert_tokens_to_ids(so_far)]])
    scores = VerseProcessor(tokenizer, rules, [earlier], **wishes)(ids, torch.zeros(1, len(tokenizer)))
    assert set(scores.flatten().tolist()) <= {0.0, -torch.inf}
    return set(tokenizer.convert_ids_to_tokens(scores[0].isfinite().nonzero().flatten().tolist()))


@TOKENIZERS
@pytest.mark.parametrize("length", [5, 7])
def test_whole_poems_have_no_fault(tokenizer: PreTrainedTokenizerFast, length: int) -> None:
    """Judged as finished poems are, which knows nothing of tokens."""
    written = poems(tokenizer, VerseRules(length), [[]] * 64)
    reports = [check_poem(poem) for poem in written]
    assert [report["faults"] for report in reports] == [[]] * 64
    assert not any(report["repeats"] for report in reports)
    assert {poem[1][-1] for poem in written} <= {*"".join(RHYMES.values())} - {*RHYMES["三江"]}  # too few to open one
    assert len({tuple(poem) for poem in written}) == 64


@TOKENIZERS
@pytest.mark.parametrize("switches", [*product([True, False], repeat=3)], ids=str)
def test_each_rule_can_be_switched_off(tokenizer, switches: tuple[bool, bool, bool]) -> None:
    rhyme, no_repeat, tone = switches
    written = poems(tokenizer, VerseRules(7, rhyme, no_repeat, tone), [[]] * 48)
    reports = [check_poem(poem) for poem in written]
    assert all(report["length"] for report in reports)
    assert all(report["rhyme"] and report["first_line"] and report["third_line"] for report in reports) is rhyme
    assert all(report["tonal"] and not any(report["tails"]) for report in reports) is tone
    assert (not any(report["repeats"] for report in reports)) is no_repeat


WORDS = ["夜雨", "空山", "秋月", "柳", "江流", "东风", "白雪", "悠悠", "老树草"]


@TOKENIZERS
@pytest.mark.parametrize("length", [5, 7])
def test_words_stand_where_the_feet_allow(tokenizer, length: int) -> None:
    rows = [[WORDS[i % 9], WORDS[(i + 2) % 9], WORDS[(i + 5) % 9], WORDS[(i + 7) % 9]] for i in range(63)]
    written = poems(tokenizer, VerseRules(length), rows)
    reports = [check_poem(poem, row) for poem, row in zip(written, rows, strict=True)]
    assert [report["faults"] for report in reports] == [[]] * 63
    placed = sum(len(report["placed"]) for report in reports)
    assert placed > 0.75 * 4 * 63
    starts = [poem[i].find(row[i]) for poem, row in zip(written, rows, strict=True) for i in range(4)]
    assert len({start for start in starts if start >= 0}) > 3, "anywhere, not at the head alone"


def test_a_word_is_refused_with_its_reason() -> None:
    words = ["夜雨", "龍", "落月", "东风", "空中", None]
    earlier = [["月落空林一木红", "老树依人水自流"]] * len(words)
    known = VerseProcessor(SINGLE, VerseRules(7), earlier, words).refused
    assert known == [None, UNKNOWN, REPEATED, None, REPEATED, None]
    assert VerseProcessor(SINGLE, VerseRules(5), [[]], ["不入不出"]).refused == [UNKNOWN]
    assert VerseProcessor(SINGLE, VerseRules(5), [[]], ["东风红中"]).refused == [NO_PLACE]  # four of five straddle


def test_a_word_never_breaks_the_rhyme() -> None:
    earlier = [["门外白云秋", "一水入江流", "明月照寒树"]] * 64
    lines, processor = write(SINGLE, VerseRules(5), earlier, ["夜雨"] * 64)
    assert processor.refused == [None] * 64
    assert all(line[-1] in RHYMES["十一尤"] and line.find("夜雨") in word_starts(2, 5) for line in lines)


@TOKENIZERS
def test_a_word_of_a_list_stands_elsewhere(tokenizer) -> None:
    torch.manual_seed(0)
    word = CHARS[:2]
    for listed in (True, False):
        heads = allowed(tokenizer, [], [], VerseRules(5, rhyme=False, tone=False), words=[word], listed=[listed])
        assert any(token.startswith(word[0]) for token in heads) != listed
    lines, processor = write(tokenizer, FREE, [[]] * 40, [word] * 40, listed=[True] * 40)
    assert all(word in line for line in lines) and set(processor.refused) == {None}


def test_characters_wait_for_later_words_and_heads() -> None:
    lines, _ = write(SINGLE, VerseRules(7), [[]] * 64, [None] * 64, [["秋月", "落叶"]] * 64, later_heads="东风")
    assert not set("".join(lines)) & set("秋月落叶东风")


def test_acrostic() -> None:
    written = poems(SINGLE, VerseRules(7), [["落日"], ["空山"]] * 16, acrostic="秋江夜雨")
    assert all("".join(line[0] for line in poem) == "秋江夜雨" for poem in written)
    assert sum("落日" in poem[0] for poem in written) >= 12
    with pytest.raises(ValueError, match="'龍'"):
        VerseProcessor(SINGLE, VerseRules(7), [[]], head="龍")
    forced = make_tokenizer([*"东风月雪"])
    assert allowed(forced, ["东风月雪东"], [], VerseRules(5, tone=False), head="东") == {"东"}  # though it repeats


def test_a_word_read_otherwise_in_its_context() -> None:
    """乘兴: the second character is oblique there, though it is level in 兴亡."""
    tokenizer = make_tokenizer([*CHARS, *"乘兴亡三更"])
    written = poems(tokenizer, VerseRules(7), [["乘兴"], ["三更"], ["兴亡"]] * 16)
    reports = [check_poem(poem) for poem in written]
    assert [report["faults"] for report in reports] == [[]] * 48
    assert all(word in poem[0] for poem, word in zip(written, ["乘兴", "三更", "兴亡"] * 16, strict=True))


def test_tokens_of_several_characters_are_read_in_their_context() -> None:
    """Inside a token (宰相), and where one goes on with the character before (三 + 更深)."""
    words = "乘兴 兴亡 三更 更深 宰相 相门 秋思 思深 不胜 胜地 九重 重门".split()
    tokenizer = make_tokenizer([*CHARS, *"".join(words), *words, "深更", "更长门"])
    for length in (5, 7):
        written = poems(tokenizer, VerseRules(length), [[]] * 192)
        assert [report["faults"] for report in map(check_poem, written)] == [[]] * 192
        assert sum(word in "".join(poem) for poem in written for word in words) > 100


def test_tokens_that_double() -> None:
    """Only those that poets double, and once in a poem, whatever the tokens are cut to."""
    tokenizer = make_tokenizer([*CHARS, "悠悠", "树悠悠", "宇宇", "枝枝叶叶", "悠", "叶叶", "枝叶叶"])
    written = poems(tokenizer, VerseRules(7, tone=False), [[]] * 96)
    reports = [check_poem(poem) for poem in written]
    assert not any("doubling" in report["faults"] or report["repeats"] for report in reports)
    assert {"悠", "叶"} <= {char for report in reports for char in report["doubled"]}


@TOKENIZERS
def test_no_repeat(tokenizer) -> None:
    earlier = [["月落风空一东红"], ["悠悠秋水不入路"], ["山水江流白石光"]] * 32
    lines, _ = write(tokenizer, VerseRules(7, tone=False, rhyme=False), earlier)
    for before, line in zip(earlier, lines, strict=True):
        assert not set(line) & set("".join(before))
        runs = [(char, len(list(run))) for char, run in groupby(line)]
        assert len({char for char, _ in runs}) == len(runs) and max(n for _, n in runs) <= 2
    doubling = [len(set(line)) < 7 for line in lines]
    assert any(doubling) and not any(doubling[1::3]), "悠悠 is allowed once in a poem"


def test_variants_are_one_character() -> None:
    tokenizer = make_tokenizer([*"东风月雪落叶棹櫂"])
    rules = VerseRules(5, rhyme=False, tone=False)
    assert allowed(tokenizer, ["东棹"], [], rules) == {*"风月雪落叶"}


def test_beams_and_return_sequences_belong_to_their_prompt() -> None:
    model = tiny_t5(len(SINGLE) + 5)
    ends = zip("水火老", "风秋光", strict=True)
    earlier = [[f"{head}月白日雪", f"落叶木石{end}", "白一入不夜"] for head, end in ends]
    for options in ({"num_beams": 4}, {"num_beams": 3, "do_sample": True}, {"do_sample": True, "top_k": 0}):
        processor = VerseProcessor(SINGLE, VerseRules(5, tone=False), earlier)
        out = model.generate(
            torch.randint(3, len(SINGLE), (3, 6)), max_new_tokens=7, num_return_sequences=3,
            logits_processor=LogitsProcessorList([processor]), **options,
        )  # fmt: skip
        lines = ["".join(SINGLE.convert_ids_to_tokens(row[1 : row.tolist().index(1)])) for row in out]
        assert len(lines) == 9 and all(len(line) == 5 and all(map(is_han, line)) for line in lines)
        for i, line in enumerate(lines):
            assert line[-1] in list(RHYMES.values())[i // 3] and not set(line) & set("".join(earlier[i // 3]))


def test_what_may_come_next() -> None:
    tokenizer = make_tokenizer([*NO_VERSE, "▁", *"天地玄黄宇", "▁悠悠", "悠", "悠然", "地天地", "悠悠"])
    once = VerseRules(5, rhyme=False, tone=False)
    plain = {*"天地玄黄宇悠", "▁悠悠", "悠然", "地天地", "悠悠"}
    assert allowed(tokenizer, [], []) == plain | {"▁"}
    assert allowed(tokenizer, [], ["▁"]) == plain  # the word mark only at the beginning
    assert allowed(tokenizer, [], [*"天地玄黄"]) == {*"天地玄黄宇悠"}
    assert allowed(tokenizer, [], ["悠然", "地天地"]) == {"</s>"}
    assert allowed(tokenizer, [], [], once) == (plain | {"▁"}) - {"地天地"}
    assert allowed(tokenizer, [], ["天", "悠"], once) == {*"地玄黄宇悠", "悠然"}
    for twice in (["悠", "悠"], ["悠悠"], ["▁悠悠"]):
        assert allowed(tokenizer, [], ["天", *twice], once) == {*"地玄黄宇"}
    assert allowed(tokenizer, ["悠"], ["宇"], once) == {*"天地玄黄"}  # poets never double 宇


def test_the_rest_of_a_line_can_always_be_filled() -> None:
    tokenizer = make_tokenizer(["明月", "夕阳红"])
    assert allowed(tokenizer, [], []) == {"明月", "夕阳红"}
    assert allowed(tokenizer, [], ["明月"]) == {"夕阳红"}  # two more would leave one
    with pytest.raises(ValueError, match="add up to 5"):
        VerseProcessor(make_tokenizer(["明月", "清风"]), FREE, [[]])


def test_wishes_give_way_in_order() -> None:
    tokenizer = make_tokenizer([*"东风月雪"])
    loose, both = VerseRules(5, rhyme=False, tone=False), VerseRules(5, tone=False)
    assert allowed(tokenizer, ["东风月雪"], [], loose) == {*"东风月雪"}  # nothing unused is left
    # 风 is the only rhyme of 东 and is used: repeat it rather than not rhyme.
    assert allowed(tokenizer, ["月雪风", "月东", "雪"], [*"月月雪雪"], both) == {"风"}
    # Nothing rhymes with 月: the length remains.
    assert allowed(tokenizer, ["月雪月", "东风月", "月月月"], [*"东东风风"], both) == {*"东风月雪"}
    rows = VerseProcessor(tokenizer, loose, [["东风月雪"], ["东"]])  # the rows of a batch give way one by one
    scores = rows(torch.zeros(2, 1, dtype=torch.long), torch.zeros(2, len(tokenizer)))
    assert scores.isfinite().sum(1).tolist() == [4, 3]


def test_scores_of_allowed_tokens_stay_as_they_are() -> None:
    scores = torch.randn(4, len(SINGLE) + 9)
    before = scores.clone()
    after = VerseProcessor(SINGLE, FREE, [[], []])(torch.zeros(4, 1, dtype=torch.long), scores)
    assert torch.equal(scores, before) and after.shape == scores.shape
    kept = after.isfinite()
    assert torch.equal(after[kept], scores[kept]) and (after[~kept] == -torch.inf).all()
    assert kept.sum(1).tolist() == [len(set(CHARS))] * 4


def test_beams_that_have_ended_may_hold_anything() -> None:
    ids = torch.tensor([[0, *SINGLE.convert_tokens_to_ids([*"月日雪落叶"]), 1, 0, len(SINGLE) + 3]])
    scores = VerseProcessor(SINGLE, VerseRules(5), [[]])(ids, torch.zeros(1, len(SINGLE) + 5))
    assert scores.isfinite().nonzero().tolist() == [[0, SINGLE.eos_token_id]]


def test_wrong_use_is_refused() -> None:
    start = torch.zeros(3, 1, dtype=torch.long)
    with pytest.raises(ValueError, match="3 rows for 2 prompts"):
        VerseProcessor(SINGLE, FREE, [[], []])(start, torch.zeros(3, len(SINGLE)))
    with pytest.raises(ValueError, match="scores"):
        VerseProcessor(SINGLE, FREE, [[]])(start, torch.zeros(3, len(SINGLE) - 1))
    with pytest.raises(ValueError, match="three"):
        VerseProcessor(SINGLE, FREE, [HERON_TOWER])
    with pytest.raises(ValueError, match="end token"):
        VerseProcessor(PreTrainedTokenizerFast(tokenizer_object=SINGLE.backend_tokenizer), FREE, [[]])


def test_continuations() -> None:
    def spelt(word: str) -> list[set[str]]:
        return [set(MULTIPLE.convert_ids_to_tokens(list(ids))) for ids in continuations(MULTIPLE, word)]

    assert spelt("明月") == [{"明月"}] or spelt("明月")[0] == {"明月"}  # 明 alone is no token
    assert spelt("夜雨") == [{"夜", "夜雨"}, {"雨"}]
    assert spelt("悠悠") == [{"悠", "▁悠悠"}, {"悠"}]
    assert continuations(MULTIPLE, "龍") == () and continuations(MULTIPLE, "夜龍") == ()


def test_oblique_characters_end_line_three() -> None:
    lines, _ = write(SINGLE, VerseRules(5), [["一水入江楼", "白日照寒秋"]] * 32)
    assert all(line[-1] in OBLIQUE for line in lines)
