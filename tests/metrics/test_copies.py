"""metrics.copies: what stands in the training poems, beside a longest common substring by hand."""

import random
from collections import Counter

from helpers.metrics import TrainingText
from tests.samples import AUTUMN, BAIDI, HERON_TOWER

TEXT = TrainingText([*HERON_TOWER, *BAIDI])


def longest_common(line: str, other: str) -> int:
    """By the table of the textbook: row i, column j is the length of the common piece that ends there."""
    table = [[0] * (len(other) + 1) for _ in range(len(line) + 1)]
    for i, a in enumerate(line, 1):
        for j, b in enumerate(other, 1):
            table[i][j] = table[i - 1][j - 1] + 1 if a == b else 0
    return max(map(max, table))


def test_longest_copy() -> None:
    assert TEXT.longest_copy("白日依山尽") == "白日依山尽"
    assert TEXT.longest_copy("不依山尽头") == "依山尽"
    assert TEXT.longest_copy("千里江陵去") == "千里江陵"  # not the 千里 of the other poem
    assert TEXT.longest_copy("白日黄河去") == "白日"  # the first of two as long
    assert TEXT.longest_copy("明月松石照") == "" == TEXT.longest_copy("")


def test_a_copy_does_not_run_over_the_end_of_a_line() -> None:
    text = TrainingText(["空山", "新雨"])
    for line in ("空山新雨", "新雨空山"):
        assert len(text.longest_copy(line)) == 2


def test_longest_copy_beside_the_table() -> None:
    rng = random.Random(0)
    corpus = ["".join(rng.choices("山水风月花", k=7)) for _ in range(20)]
    text = TrainingText(corpus)
    lengths = Counter()
    for _ in range(200):
        line = "".join(rng.choices("山水风月花鸟", k=7))
        copy = text.longest_copy(line)
        assert copy in line and any(copy in other for other in corpus)
        assert len(copy) == max(longest_common(line, other) for other in corpus)
        lengths[len(copy)] += 1
    assert len(lengths) >= 4


def test_copied_lines() -> None:
    poems = [(HERON_TOWER[0], *AUTUMN[1:]), AUTUMN, ("白日依山", *AUTUMN[:2], BAIDI[3])]  # a part is no line
    assert TEXT.copied_lines(poems) == 2 / 12
    assert TEXT.copied_lines(iter(poems)) == 2 / 12
    assert TEXT.copied_lines([HERON_TOWER]) == 1 and TEXT.copied_lines([AUTUMN]) == 0


def test_copied_poems() -> None:
    one, two = (HERON_TOWER[0], *AUTUMN[1:]), (HERON_TOWER[0], BAIDI[1], *AUTUMN[2:])
    assert TEXT.copied_poems([one, two, AUTUMN, HERON_TOWER]) == 2 / 4
    assert TEXT.copied_poems([one, two, AUTUMN, HERON_TOWER], lines=1) == 3 / 4
    assert TEXT.copied_poems([one, two, AUTUMN, HERON_TOWER], lines=3) == 1 / 4


def test_copy_lengths() -> None:
    poems = [("白日依山尽", "不依山尽头", "明月松石照", "白日黄河去"), ("清泉石上流", "依山", "山", "泉")]
    # of 清泉石上流 the 上 or the 流, each by itself
    assert TEXT.copy_lengths(poems) == {5: 1, 3: 1, 0: 2, 2: 2, 1: 2}
