"""The nudge towards the keywords."""

import pytest
import torch

from helpers.decoding import CONTINUE, KeywordBonus, contains
from helpers.poem_t5 import character_tokenizer

TOKENIZER = character_tokenizer("春日细雨明月花山")


def ids(text: str) -> list[int]:
    return TOKENIZER(text, add_special_tokens=False)["input_ids"]


def bonuses(keywords, earlier, line, length=7, bonus=2.0) -> dict[str, float]:
    """Character -> what the processor added to its score, for one row."""
    processor = KeywordBonus(TOKENIZER, [keywords], [earlier], length, bonus)
    input_ids = torch.tensor([[TOKENIZER.pad_token_id, *ids(line)]])
    added = processor(input_ids, torch.zeros(1, len(TOKENIZER)))[0]
    return {TOKENIZER.convert_ids_to_tokens(int(i)): float(added[i]) for i in added.nonzero().flatten()}


def test_first_tokens_of_keywords_then_the_rest_of_one_begun() -> None:
    assert bonuses(["春日", "细雨"], [], "") == {"春": 2.0, "细": 2.0}
    assert bonuses(["春日", "细雨"], [], "花春") == {"日": CONTINUE, "细": 2.0}


def test_a_used_keyword_gets_nothing_more() -> None:
    assert bonuses(["春日", "细雨"], ["春日花花花花花", "花花花花花花花"], "") == {"细": 2.0}
    assert bonuses(["春日"], [], "春日") == {}


def test_keywords_are_spread_over_the_lines() -> None:
    four = ["春日", "细雨", "明月", "花山"]
    assert bonuses(four, [], "春日") == {}  # one of four is due in the first line, and has come
    assert set(bonuses(four, ["春日花花花花花"], "")) == {"细", "明", "花"}
    assert set(bonuses(four, ["花花花花花花花"], "春日")) == {"细", "明", "花"}  # the first line missed its own


def test_no_bonus_where_the_word_has_no_room() -> None:
    assert bonuses(["春日"], [], "花花花花花花") == {}
    assert bonuses(["春日"], [], "花花花花花花春") == {}
    assert bonuses(["春日"], [], "花花花花花春") == {"日": CONTINUE}
    assert bonuses(["春"], [], "花花花花花花") == {"春": 2.0}


def test_rows_are_independent_and_the_scores_given_stay() -> None:
    processor = KeywordBonus(TOKENIZER, [["春日"], ["明月"]], [[], []], 5, 1.0)
    scores = torch.zeros(2, len(TOKENIZER))
    scores[0, ids("春")[0]] = -torch.inf
    added = processor(torch.zeros(2, 1, dtype=torch.long), scores)
    assert added[0, ids("春")[0]] == -torch.inf and added[1, ids("明")[0]] == 1
    assert added[1, ids("春")[0]] == 0 and scores[1].eq(0).all()


@pytest.mark.parametrize(
    ("line", "word", "found"), [("春日花", "日花", True), ("春日花", "春花", False), ("", "春", False)]
)
def test_contains(line: str, word: str, found: bool) -> None:
    assert contains(ids(line), ids(word)) is found
