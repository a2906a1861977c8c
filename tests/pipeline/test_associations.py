"""pipeline.associations: what verse keeps together, counted by hand, and what it may add to what is seen."""

import math

import numpy as np
import pytest

from helpers.keywords import Calibration, ScoredWord, WordRanker
from helpers.pipeline import Associations, shipped_associations, usual_name, with_associations

WORDS = ["松", "鹤", "月", "孤舟", "夕阳", "晨光"]
POEMS = [
    ("松下一只鹤", "月明"),
    ("孤舟泊松边", "鹤飞"),
    ("月照孤舟", "水流"),
    ("夕阳无限好", "月未上"),
    ("水流", "花落"),
]


@pytest.fixture(scope="module")
def associations() -> Associations:
    return Associations(WORDS, POEMS)


def test_affinity_equals_a_count_by_hand(associations) -> None:
    for one in WORDS:
        for other, found in zip(WORDS, associations.affinity(one), strict=True):
            holds = [[word in "|".join(poem) for poem in POEMS] for word in (one, other)]
            together = sum(a and b for a, b in zip(*holds, strict=True))
            expected = sum(holds[0]) * sum(holds[1]) / len(POEMS)
            assert found == pytest.approx(math.log((together + 3) / (expected + 3)))
    assert associations.affinity("鲸").tolist() == [0] * len(WORDS)


def test_choice_is_by_affinity_among_what_fits(associations) -> None:
    fit = dict.fromkeys(WORDS, 0.0)
    assert associations.choose(["松"], fit, 1) == ["鹤"]
    assert "鹤" not in associations.choose(["松"], {word: 0.0 for word in WORDS if word != "鹤"}, 4)
    assert associations.choose(["夕阳"], fit, 9).count("晨光") == 0, "morning and evening are never both"
    assert "夕阳" not in associations.choose(["夕阳"], fit, 9)
    assert associations.choose(["松"], {}, 3) == []


def test_names_that_verse_uses(associations) -> None:
    assert associations.most_usual(["晨光", "月"]) == "月" and associations.most_usual(["鲸"]) == "鲸"


# --- with_associations: words whose scores are given as they are ---

SCENE = ["雪山", "湖", "沙漠", "繁星", "松"]


@pytest.fixture(scope="module")
def ranker() -> WordRanker:
    pictures = np.random.default_rng(0).standard_normal((200, 5)).astype(np.float32)
    return WordRanker(SCENE, np.eye(5, dtype=np.float32), np.zeros(5), pictures, Calibration(0.0, 1.0, 0.0))


def seen_words(ranker: WordRanker, scores: list[float], seen: str = "雪山 湖", k: int = 4) -> list[ScoredWord]:
    scores = np.array(scores)
    row = [ranker.scored(ranker.index[word], scores, np.ones(5)) for word in seen.split()]
    return with_associations(ranker, row, scores, ["东风", "昆仑"], k)


def test_seen_words_stay_and_the_rest_is_marked(ranker) -> None:
    row = seen_words(ranker, [3.0, 2.0, -1.0, 1.0, 0.5])
    assert [scored.seen for scored in row] == [True, True, False, False]
    assert [scored.word for scored in row[:2]] == ["雪山", "湖"] and row[0].score == 3.0
    assert not {"沙漠", "繁星"} & {scored.word for scored in row}, "contradicted by the picture; of the night"
    assert len(seen_words(ranker, [3.0, 2.0, 1.0, 1.0, 1.0], k=2)) == 2
    assert "繁星" in {scored.word for scored in seen_words(ranker, [0, 0, -1, 1, -1], seen="繁星", k=1)}


def test_nothing_seen_is_said(ranker) -> None:
    row = seen_words(ranker, [-1.0, 0.5, -1.0, -1.0, -1.0], seen="", k=3)
    assert row[0].word == "湖" and len(row) == 3 and not any(scored.seen for scored in row)


def test_a_name_that_verse_uses_and_the_other_words_allow() -> None:
    counts = shipped_associations()
    assert counts.most_usual(["山", "雪山"]) == "山"
    assert usual_name(["雪山", "山"], "雪山", ["湖"]) == "山"
    assert usual_name(["雪山", "山"], "雪山", ["春山"]) == "雪山", "山 is taken"
    assert usual_name(["日", "夕阳"], "日", ["朝霞"]) == "日"
    assert usual_name(["光", "星"], "光", []) == "光", "a star is not another name for a light"


def test_the_shipped_poems_know_their_company() -> None:
    verse = shipped_associations()
    affinity = dict(zip(verse.words, verse.affinity("荷花"), strict=True))
    assert max(affinity[word] for word in ("荷叶", "莲叶", "鸳鸯")) > affinity["雪山"]
    assert verse.counts[verse.index["山"]] > 500
