"""poems.drafts: lines, likelihoods and refused words stay with their poem."""

import pytest
import torch

from helpers.poems import Drafts, source_text
from tests.samples import BAIDI, HERON_TOWER, RIVER_SNOW

WORDS = [("白日", "黄河"), ("千山", "人踪")]


def longer(drafts: Drafts, lines: tuple[str, ...], reasons: list[str | None] | None = None) -> Drafts:
    """With a line each, whose tokens have a log-probability of -1, -2 and so on in all."""
    costs = -torch.arange(1.0, len(lines) + 1)
    return drafts.with_lines(lines, costs, torch.full((len(lines),), 6.0), reasons)


def test_poems_grow_line_by_line() -> None:
    drafts = Drafts.begin(WORDS, 5)
    assert drafts.written == 0 and drafts.lines == [(), ()]
    for lines in zip(HERON_TOWER[:2], RIVER_SNOW[:2], strict=True):
        drafts = longer(drafts, lines)
    assert drafts.written == 2 and drafts.lines == [HERON_TOWER[:2], RIVER_SNOW[:2]] and drafts.line_length == 5
    assert drafts.means().tolist() == pytest.approx([-2 / 12, -4 / 12])


def test_sources_ask_for_the_next_line() -> None:
    drafts = longer(Drafts.begin(WORDS, 5), (HERON_TOWER[0], RIVER_SNOW[0]))
    assert drafts.sources() == [source_text(WORDS[0], HERON_TOWER[:1], 5), source_text(WORDS[1], RIVER_SNOW[:1], 5)]
    assert drafts.sources()[0] == "五绝2:白日 黄河</s>白日依山尽</s>"
    assert Drafts.begin([("白帝",)], 7).sources() == ["七绝1:白帝</s>"], "its length is known before a line stands"
    assert Drafts.begin([("白帝",)], 7, [BAIDI[0]]).sources() == ["七绝2:白帝</s>朝辞白帝彩云间</s>"]


def test_reasons_are_kept_by_the_word_of_the_line() -> None:
    drafts = longer(Drafts.begin(WORDS, 5), (HERON_TOWER[0], RIVER_SNOW[0]), [None, "why"])
    assert drafts.refused == [{}, {"千山": "why"}]
    drafts = longer(drafts, (HERON_TOWER[1], RIVER_SNOW[1]), ["no place", "why not"])
    assert drafts.refused == [{"黄河": "no place"}, {"千山": "why", "人踪": "why not"}]
    assert longer(drafts, (HERON_TOWER[2], RIVER_SNOW[2])).refused == drafts.refused  # no word, no reason


def test_an_opening_is_line_1() -> None:
    """Its word was never asked for, so the first reason is that of the second word."""
    drafts = Drafts.begin(WORDS, 5, [HERON_TOWER[0], RIVER_SNOW[0]])
    assert drafts.written == 1 and drafts.refused == [{}, {}] and drafts.tokens.tolist() == [0, 0]
    assert longer(drafts, (HERON_TOWER[1], RIVER_SNOW[1]), ["why", None]).refused == [{"黄河": "why"}, {}]


def test_rows_take_all_of_a_draft_along() -> None:
    """And what is added to a copy stays with the copy."""
    drafts = longer(Drafts.begin(WORDS, 5), (HERON_TOWER[0], RIVER_SNOW[0]), [None, "why"]).rows([1, 0, 1])
    assert drafts.keywords == [WORDS[1], WORDS[0], WORDS[1]] and drafts.line_length == 5
    assert drafts.lines == [RIVER_SNOW[:1], HERON_TOWER[:1], RIVER_SNOW[:1]]
    assert drafts.log_likelihoods.tolist() == [-2, -1, -2] and drafts.tokens.tolist() == [6, 6, 6]
    drafts = longer(drafts, (RIVER_SNOW[1], HERON_TOWER[1], RIVER_SNOW[1]), ["late", None, None])
    assert drafts.refused == [{"千山": "why", "人踪": "late"}, {}, {"千山": "why"}]


@pytest.mark.parametrize(
    ("openings", "message"), [(HERON_TOWER[:1], "1 openings for 2 poems"), ((HERON_TOWER[0], BAIDI[0]), "5 characters")]
)
def test_openings_that_do_not_fit(openings: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Drafts.begin(WORDS, 5, openings)
