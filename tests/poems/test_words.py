"""poems.words: how a line falls into words, and what a poem's keywords can be."""

import random
from collections import Counter

from helpers.poems import Quatrain, count_words, sample_keywords, segment, words_of
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
