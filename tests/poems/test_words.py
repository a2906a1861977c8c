"""poems.words: how a line falls into words, and what a poem's keywords can be."""

import random
from collections import Counter

import pytest

from helpers.poems import Quatrain, count_words, in_order, sample_keywords, segment, told_keywords, words_of
from tests.samples import AUTUMN, HERON_TOWER


def test_words() -> None:
    assert words_of("明月松间照") == ["明月", "松间", "间照"]
    assert words_of("轻舟已过万重山") == ["轻舟", "已过", "万重", "重山"]
    assert segment("明月松间照", Counter({"松间": 3, "间照": 2})) == ["明月", "松间"]
    assert segment("明月松间照", Counter({"松间": 2, "间照": 3})) == ["明月", "间照"]
    assert segment("轻舟已过万重山", Counter({"重山": 1})) == ["轻舟", "已过", "重山"]


def test_count_words() -> None:
    counts = count_words([Quatrain(AUTUMN), Quatrain((AUTUMN[0], *HERON_TOWER[1:]))])
    assert counts["空山"] == counts["雨后"] == 2
    assert counts["明月"] == counts["山尽"] + 1 == 1
    assert sum(counts.values()) == 2 * 4 * 3


def draw(seed: int, **options) -> list[str]:
    counts = count_words([Quatrain(AUTUMN)] * 20)
    return sample_keywords(AUTUMN, counts, random.Random(seed), **options)


def test_keywords_are_parts_of_the_poem() -> None:
    sizes = Counter()
    for seed in range(300):
        keywords = draw(seed)
        sizes[len(keywords)] += 1
        assert all(any(word in line for line in AUTUMN) for word in keywords)
        assert max(Counter(next(n for n, line in enumerate(AUTUMN) if word in line) for word in keywords).values()) <= 2
        assert not any(set(a) & set(b) for i, a in enumerate(keywords) for b in keywords[:i])
    assert set(sizes) == {1, 2, 3, 4, 5} and sizes[4] == max(sizes.values())


def test_keywords_follow_the_seed() -> None:
    assert all(draw(seed) == draw(seed) for seed in range(20))
    assert len({tuple(draw(seed)) for seed in range(20)}) > 10


def test_rare_words_are_no_keywords_and_some_are_single_characters() -> None:
    counts = count_words([Quatrain(AUTUMN)] * 19)
    assert sample_keywords(AUTUMN, counts, random.Random(0)) == []
    assert {len(word) for seed in range(50) for word in draw(seed, single=0)} == {2}
    assert {len(word) for seed in range(50) for word in draw(seed, single=1)} == {1}
    assert {len(word) for seed in range(50) for word in draw(seed)} == {1, 2}


# --- what a source tells ---

OWN = ("明月", "清泉", "空山")  # of lines 3, 4 and 1
TOLD = Quatrain(AUTUMN, keywords=OWN)


def draws(poem: Quatrain, written: int, seeds: int = 2000) -> list[tuple[str, ...]]:
    counts = count_words([Quatrain(AUTUMN)] * 20)
    return [tuple(told_keywords(poem, written, counts, random.Random(seed))) for seed in range(seeds)]


def shares(rows: list[tuple[str, ...]]) -> dict[tuple[str, ...], float]:
    """How often each set of words is told, in whatever order."""
    return {row: count / len(rows) for row, count in Counter(tuple(sorted(row)) for row in rows).items()}


@pytest.mark.parametrize(
    ("written", "earlier"), [(0, ()), (1, ("空山",)), (2, ("空山",)), (3, ("明月", "空山")), (4, OWN)]
)
def test_some_sources_tell_nothing_and_some_only_words_that_stand(written: int, earlier: tuple[str, ...]) -> None:
    """15% tell none, 10% those of the lines so far, where there are any; all others tell all."""
    expected = Counter({(): 0.15}) + Counter({tuple(sorted(earlier)): 0.1}) + Counter({tuple(sorted(OWN)): 0.75})
    assert shares(draws(TOLD, written)) == pytest.approx(dict(expected), abs=0.03)


def test_half_of_the_sources_have_the_order_of_the_poem() -> None:
    """By intent or, one time in six, by chance."""
    whole = [row for row in draws(TOLD, 2) if len(row) == 3]
    ordered = Counter(whole)[("空山", "明月", "清泉")] / len(whole)
    assert ordered == pytest.approx(0.5 + 0.5 / 6, abs=0.04)
    assert len(set(whole)) == 6


def test_words_of_a_poem_that_has_none_are_drawn() -> None:
    """Parts of the lines so far, where only those are told."""
    rows = draws(Quatrain(AUTUMN), 2)
    assert {len(row) for row in rows} == {0, 1, 2, 3, 4, 5}
    assert all(any(word in line for line in AUTUMN) for row in rows for word in row)
    nothing = sum(not row for row in draws(Quatrain(AUTUMN), 0)) / 2000
    assert nothing == pytest.approx(0.25, abs=0.03), "before line 1 no word stands"


def test_told_words_follow_the_seed() -> None:
    assert draws(TOLD, 3, 50) == draws(TOLD, 3, 50)
    rng = random.Random(0)
    assert len({tuple(told_keywords(TOLD, 3, Counter(), rng)) for _ in range(60)}) > 5
    assert TOLD.keywords == OWN


def test_in_order() -> None:
    assert in_order(["明月", "清泉", "空山"], AUTUMN) == ["空山", "明月", "清泉"]
    assert in_order(["石", "新雨", "空山", "晚来"], AUTUMN) == ["空山", "新雨", "晚来", "石"]
    assert in_order(["清泉", "沙漠", "空山", "驼铃"], AUTUMN) == ["沙漠", "驼铃", "空山", "清泉"]
    assert in_order(["后天"], AUTUMN) == ["后天"] and in_order([], AUTUMN) == []
    assert in_order(("天气", "后天"), AUTUMN) == ["后天", "天气"], "a word across two lines stands in none"
