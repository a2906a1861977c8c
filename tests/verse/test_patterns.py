"""verse.patterns: the four standard forms of a line, the licences, the tails, the feet."""

import pytest

from helpers.verse import (
    LONELY_LEVEL,
    RESCUED,
    SWAPPED,
    THREE_LEVEL,
    licence,
    neighbours,
    patterns_to_write,
    tail_fault,
    word_starts,
)

# 王力《诗词格律》: 五绝 with a level or an oblique second character, line 1 without rhyme.
OBLIQUE_START = ("仄仄平平仄", "平平仄仄平", "平平平仄仄", "仄仄仄平平")
LEVEL_START = ("平平平仄仄", "仄仄仄平平", "仄仄平平仄", "平平仄仄平")
TURNED = str.maketrans("平仄", "仄平")


@pytest.mark.parametrize("first, poem", [("仄", OBLIQUE_START), ("平", LEVEL_START)])
def test_standard_forms_are_in_order(first: str, poem: tuple[str, ...]) -> None:
    for number, pattern in enumerate(poem):
        longer = pattern[:2].translate(TURNED) + pattern  # 七言: two characters of the other tone before
        assert licence(pattern, first, number) == "" and pattern in patterns_to_write(5, first, number, True, True)
        turned = longer[1].translate(TURNED)
        assert licence(longer, first.translate(TURNED), number) == "", (longer, turned)
        assert longer in patterns_to_write(7, first.translate(TURNED), number, True, True)
        assert licence(pattern, first.translate(TURNED), number) is None


def test_licences() -> None:
    assert licence("平平仄平仄", "平", 0) == SWAPPED and licence("仄平仄平仄", "平", 0) is None
    assert licence("仄仄平平仄平仄", "仄", 2) is None and licence("仄仄平平仄平仄", "平", 2) == SWAPPED
    assert licence("仄仄仄仄仄", "仄", 0) == RESCUED
    assert licence("平平平平平", "平", 0) is None


def test_tails() -> None:
    assert tail_fault("仄仄平平平") == THREE_LEVEL and tail_fault("平平仄仄仄") == ""
    assert tail_fault("仄平仄仄平") == tail_fault("平仄仄平仄仄平") == LONELY_LEVEL
    assert tail_fault("仄平平仄平") == tail_fault("平平仄仄平") == ""


def test_what_is_written_has_no_fault() -> None:
    for length in (5, 7):
        for first in "平仄":
            for line in range(4):
                written = patterns_to_write(length, first, line, True, True)
                assert written and not any(map(tail_fault, written))
                assert all(licence(pattern, first, line) in ("", SWAPPED) for pattern in written)
                assert {p[-1] for p in written} == set(("平仄", "平", "仄", "平")[line])
                free = patterns_to_write(length, first, line, False, True)
                assert len(free) == 2**length // (1 if line == 0 else 2)
    assert len(patterns_to_write(5, "平", 1, False, False)) == 32


def test_feet() -> None:
    assert list(word_starts(2, 7)) == [0, 2, 4, 5] and list(word_starts(2, 5)) == [0, 2, 3]
    assert list(word_starts(1, 5)) == [0, 1, 2, 3, 4]
    assert list(word_starts(3, 7)) == [4] and list(word_starts(3, 5)) == [2]
    assert list(word_starts(4, 7)) == [0] and list(word_starts(4, 5)) == list(word_starts(5, 7)) == []


def test_neighbouring_groups() -> None:
    assert neighbours("一东") == {"一东", "二冬"} and neighbours("五歌") == {"五歌"}
    assert neighbours("十三元") >= {"十一真", "一先"} and "一先" not in neighbours("十一真")
