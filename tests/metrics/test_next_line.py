"""metrics.next_line: lines that only sense tells apart, accuracy without luck, PPMI by hand."""

import math

import numpy as np
import pytest

from helpers.config import ASSETS
from helpers.metrics import CharacterAssociation, choice_accuracy, line_choices
from helpers.poems import read_split
from helpers.verse import check_poem, enforced, tone_pattern

POEMS = [poem.lines for poem in read_split(ASSETS / "poems", "train")[:3000]]


def test_the_other_lines_have_the_same_rhyme_and_tones() -> None:
    tests = line_choices(POEMS, 50)
    assert len(tests) == 50 and len({poem for poem, _ in tests}) == 50
    for poem, lines in tests:
        assert lines[0] == poem[3] and len(set(lines)) == 10
        assert {len(line) for line in lines} == {len(poem[0])}
        assert len({tone_pattern(line)[1::2] for line in lines}) == 1
        group = check_poem(poem)["rhyme_group"]
        assert all(group in enforced().groups(line[-1], "平") for line in lines)
    assert line_choices(POEMS, 50) == tests != line_choices(POEMS, 50, seed=1)
    assert line_choices(POEMS[:5], 50) == []


def test_accuracy_gives_nothing_for_a_tie() -> None:
    scores = np.array([[3.0, 1, 2], [1, 1, 0], [0, 1, 2], [5, 4, 4]])
    assert choice_accuracy(scores) == 0.5
    assert choice_accuracy(np.zeros((4, 10))) == 0


def test_association_by_hand() -> None:
    poems = [("甲", "乙", "丙", "山水"), ("甲", "丁", "丙", "山"), ("戊", "己", "庚", "月")]
    counts = CharacterAssociation(poems)
    pairs, before, last = 3 * 2 + 3 * 1 + 3 * 1, 9, 4
    expected = math.log(2 / (2 * 2 * pairs / (before * last)))
    assert counts.score(("甲", "", ""), "山") == pytest.approx(max(0, expected))
    assert counts.score(("戊", "", ""), "山") == 0
    assert counts.score(("戊己", "", ""), "月水") > 0


def test_association_beats_chance_on_its_own_poems() -> None:
    tests = line_choices(POEMS, 100)
    counts = CharacterAssociation(POEMS)
    assert choice_accuracy(np.array([[counts.score(poem, line) for line in row] for poem, row in tests])) > 0.5
