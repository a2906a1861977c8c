"""verse.keyword_bonus: the nudge towards the keywords, and that it never begins what the rules would not let end."""

import torch

from helpers.poems import character_tokenizer
from helpers.verse import CONTINUE, KeywordBonus, VerseRules
from tests.samples import HERON_TOWER

TOKENIZER = character_tokenizer("春日细雨明月花山更上一层楼天白云头")
FREE = VerseRules(7, rhyme=False, no_repeat=False, tone=False)
STRICT = VerseRules(5, rhyme=True, no_repeat=True, tone=True)


def ids(text: str) -> list[int]:
    return TOKENIZER(text, add_special_tokens=False)["input_ids"]


def bonuses(keywords, earlier, line, rules=FREE, bonus=2.0) -> dict[str, float]:
    """Character -> what the processor added to its score, for one row."""
    processor = KeywordBonus(TOKENIZER, [keywords], [earlier], rules, bonus)
    input_ids = torch.tensor([[TOKENIZER.pad_token_id, *ids(line)]])
    added = processor(input_ids, torch.zeros(1, len(TOKENIZER)))[0]
    return {TOKENIZER.convert_ids_to_tokens(int(i)): float(added[i]) for i in added.nonzero().flatten()}


def last_line(keywords, line, rules=STRICT) -> dict[str, float]:
    """In the last line of 登鹳雀楼, 更上一层楼: (平)仄仄平平 in a rhyme of 流."""
    return bonuses(keywords, HERON_TOWER[:3], line, rules)


def test_first_tokens_of_keywords_then_the_rest_of_one_begun() -> None:
    assert bonuses(["春日", "细雨"], [], "") == {"春": 2.0, "细": 2.0}
    assert bonuses(["春日", "细雨"], [], "花春") == {"日": CONTINUE, "细": 2.0}
    assert bonuses(["春日", "春雨"], [], "") == {"春": 2.0}  # not twice


def test_the_larger_of_two_bonuses() -> None:
    assert bonuses(["春日", "日月"], [], "春") == {"日": CONTINUE}
    assert bonuses(["日月", "春日"], [], "春", bonus=9.0) == {"日": 9.0}


def test_a_used_keyword_gets_nothing_more() -> None:
    assert bonuses(["春日", "细雨"], ["春日花花花花花", "花花花花花花花"], "") == {"细": 2.0}
    assert bonuses(["春日"], [], "春日") == {}


def test_keywords_are_spread_over_the_lines() -> None:
    four = ["春日", "细雨", "明月", "花山"]
    assert bonuses(four, [], "春日") == {}  # one of four is due in the first line, and has come
    assert set(bonuses(four, ["春日花花花花花"], "")) == {"细", "明", "花"}
    assert set(bonuses(four, ["花花花花花花花"], "春日")) == {"细", "明", "花"}  # the first line missed its own
    assert bonuses(["春日"], ["花花花花花花花"] * 3, "") == {"春": 2.0}


def test_no_bonus_where_the_word_has_no_room() -> None:
    assert bonuses(["春日"], [], "花花花花花花") == {}
    assert bonuses(["春日"], [], "花花花花花花春") == {}
    assert bonuses(["春日"], [], "花花花花花春") == {"日": CONTINUE}
    assert bonuses(["春"], [], "花花花花花花") == {"春": 2.0}


def test_no_bonus_where_the_rhyme_would_break() -> None:
    assert last_line(["云楼"], "更上一") == {"云": 2.0}
    assert last_line(["云天"], "更上一") == {}
    assert last_line(["云天"], "更上一", VerseRules(5, rhyme=False, tone=True)) == {"云": 2.0}
    assert last_line(["云天"], "更上一云") == {} != last_line(["云楼"], "更上一云")  # nor for the rest
    assert last_line(["云天"], "更上") == {"云": 2.0}  # 更上云天?: it is not at the end


def test_no_bonus_where_the_tones_would_break() -> None:
    assert last_line(["花月"], "") == {"花": 2.0}  # 月 in the second place: 仄
    assert last_line(["花天"], "") == {}
    assert last_line(["花天"], "更") == {}  # 花 is level
    assert last_line(["花天"], "", VerseRules(5, tone=False)) == {"花": 2.0}


def test_no_bonus_where_a_character_would_come_back() -> None:
    rules = VerseRules(5, tone=False)
    assert last_line(["云白"], "", rules) == {}  # 白日依山尽
    assert last_line(["云白"], "", VerseRules(5, no_repeat=False, tone=False)) == {"云": 2.0}
    assert last_line(["云上"], "更上", rules) == {}
    assert last_line(["云头"], "更上", rules) == {"云": 2.0}


def test_no_bonus_for_what_verse_cannot_hold() -> None:
    assert bonuses(["龘月", "a", "春,", "日"], [], "") == {"日": 2.0}


def test_rows_are_independent_and_the_scores_given_stay() -> None:
    processor = KeywordBonus(TOKENIZER, [["春日"], ["明月"]], [[], []], FREE, 1.0)
    scores = torch.zeros(2, len(TOKENIZER))
    scores[0, ids("春")[0]] = -torch.inf
    added = processor(torch.zeros(2, 1, dtype=torch.long), scores)
    assert added[0, ids("春")[0]] == -torch.inf and added[1, ids("明")[0]] == 1
    assert added[1, ids("春")[0]] == 0 and scores[1].eq(0).all()


def test_beams_belong_to_their_prompts() -> None:
    """Three rows for each of two prompts, each row at another place."""
    keywords, earlier = [["春日"], ["明月", "细雨"]], [[], ["花花花花花花花"]]
    processor = KeywordBonus(TOKENIZER, keywords, earlier, FREE, 1.0)
    rows = [ids(line) for line in ("花春", "春日", "花花", "花明", "明月", "花花")]
    added = processor(torch.tensor([[0, *row] for row in rows]), torch.zeros(6, len(TOKENIZER)))
    tokens = TOKENIZER.convert_ids_to_tokens(range(len(TOKENIZER)))
    found = [{token: amount for token, amount in zip(tokens, row, strict=True) if amount} for row in added.tolist()]
    assert found == [{"日": CONTINUE}, {}, {"春": 1}, {"月": CONTINUE, "细": 1}, {}, {"明": 1, "细": 1}]


def test_more_scores_than_tokens() -> None:
    """Published checkpoints round their vocabulary up, and a beam that has ended may hold any token."""
    processor = KeywordBonus(TOKENIZER, [["春日"]], [[]], FREE, 1.0)
    size = len(TOKENIZER)
    added = processor(torch.tensor([[0, size + 2]]), torch.zeros(1, size + 5))
    assert added.shape == (1, size + 5) and added.nonzero().tolist() == [[0, ids("春")[0]]]
