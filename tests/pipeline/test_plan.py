"""pipeline.plan: words stand where poets put them."""

import pytest

from helpers.pipeline import LinePlan, shipped_plan

POEMS = [["远山青青", "日照江水", "不见故人", "归去月明"]] * 30 + [
    ["江上远山", "水日照青", "人不见故", "月明归去"]
] * 10


@pytest.fixture(scope="module")
def plan() -> LinePlan:
    return LinePlan(POEMS)


def test_shares_follow_the_counts(plan) -> None:
    shares = plan.shares("远山")
    assert shares[0] > 0.8 and sum(shares) == pytest.approx(1)


def test_a_word_never_seen_goes_where_its_characters_stand(plan) -> None:
    shares = plan.shares("归月")
    assert max(shares) == shares[3] and sum(shares) == pytest.approx(1)
    assert plan.shares("龘") == [0.25] * 4


def test_each_word_gets_the_line_that_suits_it(plan) -> None:
    assert plan.order(["月明", "故人", "照江", "远山"]) == ["远山", "照江", "故人", "月明"]


def test_all_words_stay_once(plan) -> None:
    assert plan.order([]) == [] and plan.order(["归"]) == ["归"]
    assert plan.order(["月明", "远山"]) == ["远山", "月明"]
    words = ["故人", "月明", "远山", "照江", "龘", "月明"]
    ordered = plan.order(words)
    assert sorted(ordered) == sorted(words) and ordered[4:] == words[4:]  # beyond four no line is left to plan


def test_unknown_words_keep_their_order(plan) -> None:
    assert plan.order(["龘", "靐", "齉"]) == ["龘", "靐", "齉"]


def test_poets_come_home_late() -> None:
    """In the shipped poems 归 stands towards the end and 初 towards the beginning."""
    late, early = shipped_plan().shares("归"), shipped_plan().shares("初")
    assert late[3] > late[0] and early[0] > early[3]
