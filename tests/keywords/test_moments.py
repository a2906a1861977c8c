"""keywords.moments: times of day and seasons in words, and which of them exclude one another."""

import pytest

from helpers.keywords import clash, contradict, load_vocabulary, moments_of, needs_night


@pytest.mark.parametrize(
    ("one", "other", "excluded"),
    [
        ("朝霞", "晚霞", True),
        ("旭日", "夕阳", True),
        ("落日", "日出", True),
        ("暮山", "星", False),
        ("黄昏", "灯火", False),
        ("晴空", "夜", True),
        ("阳光", "夕阳", False),
        ("朝霞", "蓝天", False),
        ("春水", "秋水", True),
        ("春水", "夜", False),
        ("青山", "夜", False),
        ("秋千", "春水", False),
        ("秋夕", "朝霞", True),
        ("春秋", "秋水", False),
    ],
)
def test_contradictions(one: str, other: str, excluded: bool) -> None:
    assert contradict(one, other) is contradict(other, one) is excluded


def test_no_word_contradicts_itself() -> None:
    assert [keyword.word for keyword in load_vocabulary() if contradict(keyword.word, keyword.word)] == []


def test_moments_and_the_night_sky() -> None:
    assert moments_of("秋夕") == {"autumn", "evening"}
    assert not any(map(moments_of, ("青山", "秋千", "冬青", "迎春", "虹桥", "夜光杯")))
    assert needs_night("繁星") and needs_night("银河") and not needs_night("明月") and not needs_night("火星")


def test_words_clash_by_a_character_or_by_their_time() -> None:
    assert clash("青山", ["海", "山色"])
    assert clash("朝霞", ["海", "晚风"])
    assert not clash("青山", ["海", "晚风"])
    assert not clash("青山", [])
    assert not clash("a sail", ["a sea"])  # letters are no characters
