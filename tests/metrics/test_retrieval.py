"""metrics.retrieval: every figure on a case small enough to be worked out by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from helpers.data import CaptionData
from helpers.evaluate import evaluate_retrieval
from helpers.metrics import (
    average_precision,
    chance_recall,
    distinct_n,
    keyword_first,
    keyword_recall,
    recall_at_k,
    verse_rates,
    word_ranking,
)
from helpers.verse import check_poem

HERON_TOWER = ["白日依山尽", "黄河入海流", "欲穷千里目", "更上一层楼"]


def test_recall_at_k_with_several_captions() -> None:
    """Three pictures on the axes of the space, five captions; the rows are the scores themselves."""
    texts = np.array(
        [
            [0.9, 0.5, 0.1],  # of picture 0: rank 1
            [0.2, 0.3, 0.4],  # of picture 0: rank 3
            [0.8, 0.6, 0.2],  # of picture 1: rank 2
            [0.1, 0.7, 0.3],  # of picture 1: rank 1
            [0.6, 0.9, 0.5],  # of picture 2: rank 3
        ]
    )
    recall = recall_at_k(np.eye(3), texts, np.array([0, 0, 1, 1, 2]), ks=(1, 2, 3))
    assert recall["text_to_image"] == pytest.approx({1: 40, 2: 60, 3: 100})
    # Picture 0: its best, 0.9, is first. Picture 1: 0.7 stands behind 0.9. Picture 2: 0.5 is first.
    assert recall["image_to_text"] == pytest.approx({1: 200 / 3, 2: 100, 3: 100})


def test_own_captions_do_not_push_each_other_down() -> None:
    texts = np.array([[0.9, 0.0], [0.8, 0.0], [0.7, 0.6], [0.0, 0.5]])
    recall = recall_at_k(np.eye(2), texts, np.array([0, 0, 0, 1]), ks=(1, 2))
    assert recall["image_to_text"] == {1: 50, 2: 100}  # picture 1: only 0.6 is better than its 0.5
    assert recall["text_to_image"] == {1: 100, 2: 100}


def test_chance_in_a_case_to_be_counted() -> None:
    """Pictures with two, one and one captions: of the six pairs among four texts, five hold one of picture 0's."""
    chance = chance_recall(np.array([0, 0, 1, 2]), ks=(1, 2, 3, 4, 10))
    assert chance["text_to_image"] == pytest.approx({1: 100 / 3, 2: 200 / 3, 3: 100, 4: 100, 10: 100})
    two, one = {1: 2 / 4, 2: 5 / 6, 3: 1, 4: 1, 10: 1}, {1: 1 / 4, 2: 2 / 4, 3: 3 / 4, 4: 1, 10: 1}
    assert chance["image_to_text"] == pytest.approx({k: 100 * (two[k] + 2 * one[k]) / 3 for k in two})


def test_chance_is_what_random_embeddings_reach() -> None:
    rng = np.random.default_rng(0)
    owners = np.repeat(np.arange(12), [1, 5, 2, 3, 1, 1, 4, 2, 5, 1, 2, 3])
    runs = [recall_at_k(rng.normal(size=(12, 40)), rng.normal(size=(30, 40)), owners) for _ in range(1500)]
    for way, shares in chance_recall(owners).items():
        for k, share in shares.items():
            assert np.mean([run[way][k] for run in runs]) == pytest.approx(share, abs=1.5), (way, k)


def test_retrieval() -> None:
    """An encoder that knows all but the last caption."""
    places = {"a": 0, "b": 0, "c": 1, "d": 0}
    encoder = SimpleNamespace(
        encode_images=lambda pictures: np.eye(3)[list(pictures)],
        encode_texts=lambda texts: np.eye(3)[[places[t] for t in texts]],
    )
    data = CaptionData([0, 1, 2], [["a", "b"], ["c"], ["d"]], [[], ["c"], []], ["0", "1", "2"], "here")
    figures = evaluate_retrieval(encoder, data)
    assert (figures["pictures"], figures["captions"]) == (3, 4)
    assert figures["text_to_image"] == pytest.approx({1: 75, 5: 100, 10: 100})
    assert figures["chance"] == chance_recall(np.array([0, 0, 1, 2]))
    with pytest.raises(ValueError, match="zh"):
        evaluate_retrieval(encoder, data, "zh")


def test_average_precision() -> None:
    # Relevant at ranks 1, 3, 6, 9 and 10 of ten.
    hits = [1, 0, 1, 0, 0, 1, 0, 0, 1, 1]
    assert average_precision(hits) == pytest.approx((1 / 1 + 2 / 3 + 3 / 6 + 4 / 9 + 5 / 10) / 5)
    assert average_precision([True, True]) == 1 and average_precision([False, False]) == 0
    assert average_precision([False, False, True]) == pytest.approx(1 / 3)


def test_word_ranking() -> None:
    scores = np.array([[0.9, 0.5, 0.1], [0.2, 0.3, 0.4]])
    truth = np.array([[True, False, True], [True, False, False]])
    figures = word_ranking(scores, truth)
    assert figures["map"] == pytest.approx(((1 + 2 / 3) / 2 + 1 / 3) / 2)
    assert figures["top1"] == 0.5
    assert figures["map_by_word"] == pytest.approx((1 + 1 / 2) / 2)  # word 1 shows in no picture


BROKEN = ["白日依山白", "黄河入海去", "欲穷千里", "更上一层楼"]


def test_verse_rates() -> None:
    right = verse_rates([HERON_TOWER])
    assert {"exact_form", "rhymed", "tonal", "no_repeats", "faultless"} <= set(right) and set(right.values()) == {1.0}
    halves = verse_rates([HERON_TOWER, BROKEN])
    assert halves.keys() == right.keys()
    assert {halves[name] for name in ("exact_form", "rhymed", "tonal", "no_repeats", "faultless")} == {0.5}


def test_a_word_across_the_caesura_is_a_fault_of_its_own() -> None:
    """By what it was to hold alone: 日依 stands in the poem, between the feet."""
    rates = verse_rates([HERON_TOWER, HERON_TOWER], [["白日"], ["日依"]])
    assert rates["caesura"] == rates["faultless"] == 0.5 and verse_rates([HERON_TOWER])["caesura"] == 1
    assert {rate for name, rate in rates.items() if name not in ("caesura", "faultless")} == {1.0}


def test_figures_of_form_are_those_of_the_book_that_did_not_steer() -> None:
    """山长, the head of a school, is oblique: so says the other book, while what steers knows 长 as level there."""
    school = ["管领神仙侣", "追陪山长家", "往来惟意适", "歌舞对年华"]
    assert verse_rates([school])["tonal"] == 1 and not check_poem(school)["tonal"]


def test_keyword_first() -> None:
    """Three lines or more that begin with a word of the poem's: a list, and no poem."""
    words = ["白日", "黄河", "欲穷", "上一"]
    assert keyword_first([HERON_TOWER], [words]) == 1
    assert keyword_first([HERON_TOWER, HERON_TOWER], [words, words[:2]]) == 0.5
    assert keyword_first([HERON_TOWER], [["日依", "河入", "穷千"]]) == 0
    with pytest.raises(ValueError):
        keyword_first([HERON_TOWER], [words, words])


def test_keyword_recall() -> None:
    assert keyword_recall([HERON_TOWER], [["黄河", "白日", "明月", "层楼"]]) == 0.75
    assert keyword_recall([HERON_TOWER, HERON_TOWER], [["黄河"], ["明月", "流欲"]]) == 0.5  # 流欲 runs over two lines
    with pytest.raises(ValueError):
        keyword_recall([HERON_TOWER], [["黄河"], ["明月"]])


def test_distinct_n() -> None:
    poems = [["春风春风", "春雨"], ["春风"]]  # 春风 风春 春风 · 春雨 · 春风
    assert distinct_n(poems) == 3 / 5
    assert distinct_n(poems, 1) == 3 / 8
    assert distinct_n(poems, 3) == 1
