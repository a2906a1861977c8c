"""verse.tone_constraint: every poem keeps the order of tones, and nothing is forced where nothing fits."""

import pytest
import torch
from transformers import AutoTokenizer

from helpers.config import ASSETS
from helpers.options import FORMS
from helpers.verse import ToneConstraint, VerseConstraint, check_poem, in_tonal_order, tone_at, tones
from tests.samples import CHARS, NO_VERSE, PAIRS, make_tokenizer

MULTIPLE = make_tokenizer([*NO_VERSE, *CHARS, *PAIRS])


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(ASSETS / "poem_t5")


def next_lines(tokenizer, poems: list[list[str]], length: int, generator, tone: bool = True) -> list[str]:
    """A line for each poem by random scores: whatever the constraints leave may come."""
    processors = [VerseConstraint(tokenizer, length, poems, rhyme=True, no_repeat=True)]
    processors += [ToneConstraint(tokenizer, length, poems)] if tone else []
    ids = torch.zeros(len(poems), 1, dtype=torch.long)
    for _ in range(length):
        scores = torch.randn(len(poems), len(tokenizer), generator=generator)
        for processor in processors:
            scores = processor(ids, scores)
        ids = torch.cat([ids, scores.argmax(1, keepdim=True)], dim=1)
    return [text.replace(" ", "") for text in tokenizer.batch_decode(ids[:, 1:])]


@pytest.mark.parametrize("form", FORMS)
def test_whole_poems_keep_the_order(tokenizer, form: str) -> None:
    generator = torch.Generator().manual_seed(0)
    poems: list[list[str]] = [[] for _ in range(100)]
    for _ in range(4):
        lines = next_lines(tokenizer, poems, FORMS[form], generator)
        poems = [[*poem, line] for poem, line in zip(poems, lines, strict=True)]
    judged = [check_poem(poem) for poem in poems]
    assert all(found["tonal"] and found["length"] and found["rhyme"] for found in judged)
    assert len({in_tonal_order(poem, "平") for poem in poems}) == 2  # both of the two orders are written


def test_without_it_the_order_is_rare(tokenizer) -> None:
    generator = torch.Generator().manual_seed(0)
    lines = next_lines(tokenizer, [["白日依山尽"]] * 100, 5, generator, tone=False)
    assert sum(in_tonal_order(["白日依山尽", line], "仄") for line in lines) < 60


@pytest.mark.parametrize(
    "earlier", [["白日依山尽"], ["白日依山尽", "黄河入海流"], ["白日依山尽", "黄河入海流", "欲穷千里目"]]
)
def test_earlier_lines_settle_the_tones(tokenizer, earlier: list[str]) -> None:
    for line in next_lines(tokenizer, [earlier] * 50, 5, torch.Generator().manual_seed(1)):
        assert in_tonal_order([*earlier, line], "仄") and not in_tonal_order([*earlier, line], "平")


def test_prompts_with_different_numbers_of_lines_share_a_batch(tokenizer) -> None:
    poems = [["白日依山尽"], [], ["白日依山尽", "黄河入海流"]] * 20
    for poem, line in zip(poems, next_lines(tokenizer, poems, 5, torch.Generator().manual_seed(2)), strict=True):
        assert any(in_tonal_order([*poem, line], first) for first in "平仄")


def test_lines_without_an_order_bind_nothing(tokenizer) -> None:
    without = ["白日日日尽"]  # 仄 in both places
    scores = torch.randn(2, len(tokenizer) + 3)
    ids = torch.zeros(2, 1, dtype=torch.long)
    assert torch.equal(ToneConstraint(tokenizer, 5, [without])(ids, scores), scores)


def test_where_nothing_fits_a_row_stays_as_it_is(tokenizer) -> None:
    level, oblique = tokenizer.convert_tokens_to_ids(["山", "日"])
    assert tones("山") == {"平"} and tones("日") == {"仄"}
    ids = torch.tensor([[0, oblique, oblique, level]] * 2)  # 仄 in the second place: the fourth wants 平
    scores = torch.full((2, len(tokenizer)), -torch.inf)
    scores[0, [level, oblique]] = 0.0
    scores[1, oblique] = 0.0
    left = ToneConstraint(tokenizer, 5, [[]])(ids, scores).isfinite()
    assert left[0].nonzero().flatten().tolist() == [level]
    assert left[1].nonzero().flatten().tolist() == [oblique]


def test_the_scores_given_are_left_alone(tokenizer) -> None:
    scores = torch.randn(1, len(tokenizer))
    before = scores.clone()
    ToneConstraint(tokenizer, 5, [["白日依山尽"]])(torch.tensor([[0, 5]]), scores)
    assert torch.equal(scores, before)


def test_tone_at_of_the_standard_form() -> None:
    """仄起: (仄)仄平平仄, 平平仄仄平, (平)平平仄仄, (仄)仄仄平平."""
    asked = ["".join(tone_at("仄", line, place) for place in (1, 3)) for line in range(4)]
    assert asked == ["仄平", "平仄", "平仄", "仄平"]
    assert "".join(tone_at("平", 0, place) for place in (1, 3, 5)) == "平仄平"


def test_tokens_of_several_characters() -> None:
    pieces = MULTIPLE.convert_ids_to_tokens(range(len(MULTIPLE)))
    scores = torch.zeros(1, len(MULTIPLE))
    left = ToneConstraint(MULTIPLE, 5, [["白日依山尽"]])(torch.zeros(1, 1, dtype=torch.long), scores)[0].isfinite()
    fits = {piece for piece, fine in zip(pieces, left.tolist(), strict=True) if fine}
    # the second line of 白日依山尽 wants 平 in its second place
    assert {"东风", "江流", "空山", "春秋"} <= fits and not {"明月", "夜雨", "白雪", "翠柳", "老树"} & fits
    assert "▁" in fits and "月" in fits  # a bare word mark is no character; a first character is free
