"""keywords.ranking: the vocabulary file itself, word lists from outside, the ranking against plain loops."""

import math
import statistics
from collections import Counter

import numpy as np
import pytest

from helpers.characters import is_han
from helpers.config import ASSETS
from helpers.keywords import (
    CLAIMED,
    LABELLED,
    Calibration,
    WordRanker,
    calibrated_scores,
    load_vocabulary,
    log_prior,
    pick_diverse,
    ranked,
    read_words,
    standard_scores,
    twins,
    without_mean,
    word_bias,
)

CATEGORIES = {
    "sky", "light", "weather", "season", "mountain", "water", "forest", "flower", "plant", "land", "animal",
    "building", "boat", "people", "object", "food",
}  # fmt: skip


def test_the_vocabulary() -> None:
    rows = [line for line in (ASSETS / "keyword.txt").read_text(encoding="utf-8").splitlines() if line[:1] != "#"]
    vocabulary = load_vocabulary()
    assert len(vocabulary) == len([row for row in rows if row]) >= 1000
    assert [row for row in rows if row and len(row.split("\t")) != 4] == []
    assert [word for word, n in Counter(keyword.word for keyword in vocabulary).items() if n > 1] == []
    assert [k.word for k in vocabulary if not 1 <= len(k.word) <= 4 or not all(map(is_han, k.word))] == []
    assert {keyword.category for keyword in vocabulary} == CATEGORIES
    assert [k.word for k in vocabulary if not k.gloss.isascii() or k.gloss != k.gloss.strip() or not k.gloss] == []
    assert [k.word for k in vocabulary if k.photos is not None and not 0 <= k.photos <= LABELLED] == []
    photos = {keyword.word: keyword.photos for keyword in vocabulary}
    assert photos["东风"] is None and photos["树"] > photos["荷花"] > 10


def test_the_poem_model_can_spell_the_vocabulary() -> None:
    if not (ASSETS / "poem_t5" / "tokenizer.json").exists():
        pytest.skip("no embedded poem model")
    from transformers import PreTrainedTokenizerFast

    known = PreTrainedTokenizerFast.from_pretrained(ASSETS / "poem_t5").get_vocab()
    assert {char for keyword in load_vocabulary() for char in keyword.word} - set(known) == set()


def test_read_words(tmp_path) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes("\ufeff春雨\r\n\r\n  明月 \n春雨\n\t\n青山".encode())
    assert read_words(path) == read_words(str(path)) == ["春雨", "明月", "青山"]
    for empty in ("", "\ufeff", " \n\t\n\n"):
        path.write_text(empty, encoding="utf-8")
        with pytest.raises(ValueError, match="words.txt: no words"):
            read_words(path)
    path.write_bytes("春雨".encode("gbk"))
    with pytest.raises(ValueError, match="words.txt: not a text file in UTF-8"):
        read_words(path)
    with pytest.raises(OSError):
        read_words(tmp_path / "missing.txt")


def unit(rng: np.random.Generator, *shape: int) -> np.ndarray:
    vectors = rng.standard_normal(shape)
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def dot(a, b) -> float:
    return math.fsum(float(x) * float(y) for x, y in zip(a, b, strict=True))


def test_scores_equal_a_plain_loop() -> None:
    rng = np.random.default_rng(0)
    images, texts, reference = unit(rng, 3, 8), unit(rng, 20, 8), unit(rng, 7, 8)
    bias = [sum(dot(text, picture) for picture in reference) / 7 for text in texts]
    scores = [[dot(image, text) - b for text, b in zip(texts, bias, strict=True)] for image in images]
    assert word_bias(texts, reference) == pytest.approx(np.array(bias), abs=1e-6)
    assert calibrated_scores(images, texts, reference) == pytest.approx(np.array(scores), abs=1e-6)
    spread = [statistics.pstdev(dot(text, picture) for picture in reference) for text in texts]
    assert standard_scores(images, texts, reference) == pytest.approx(np.array(scores) / spread, abs=1e-4)


def test_standard_scores_favour_the_word_that_seldom_moves() -> None:
    texts = np.array([[1, 0], [0, 0.3]], dtype=np.float32)  # the first word swings widely, the second hardly
    reference = np.array([[0.9, 0.1], [-0.9, -0.1], [0.9, 0.1], [-0.9, -0.1]], dtype=np.float32)
    image = np.array([[0.9, 0.4]], dtype=np.float32)
    assert calibrated_scores(image, texts, reference).argmax() == 0
    assert standard_scores(image, texts, reference).argmax() == 1


def test_calibration_takes_down_a_word_that_fits_everything() -> None:
    reference = np.eye(3, dtype=np.float32)
    texts = np.array([[0.6, 0.57, 0.56], [0.5, 0, 0]], dtype=np.float32)  # one for all, one for the first alone
    image = reference[:1]
    assert (image @ texts.T).argmax() == 0 and calibrated_scores(image, texts, reference).argmax() == 1


def diverse_by_hand(scores, words, embeds, k, near) -> list[int]:
    chosen = []
    for index in sorted(range(len(words)), key=lambda i: -scores[i]):
        distinct = all(not set(words[index]) & set(words[other]) for other in chosen)
        if distinct and all(dot(embeds[index], embeds[other]) < near for other in chosen):
            chosen.append(index)
    return chosen[:k]


@pytest.mark.parametrize("near", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("k", [1, 5, 100])
def test_choice_equals_a_plain_loop(near: float, k: int) -> None:
    rng = np.random.default_rng(k)
    words = ["".join(rng.choice(list("山水风花雪石云雨江河木竹"), 2)) for _ in range(40)]
    embeds, scores = unit(rng, 40, 4), rng.standard_normal(40)
    chosen = pick_diverse(scores, words, embeds, k, near=near)
    assert chosen == diverse_by_hand(scores, words, embeds, k, near) and all(type(i) is int for i in chosen)


def test_near_synonyms_and_shared_characters_give_way() -> None:
    words = ["明珠", "玉盘", "珠色", "青山", "飞鸟"]
    embeds = np.array([[1, 0, 0], [0.95, 0.312, 0], [0, 1, 0], [0, 0.6, 0.8], [0, 0, 1]], dtype=np.float32)
    scores = np.array([0.5, 0.4, 0.3, 0.2, 0.1])
    assert pick_diverse(scores, words, embeds, 3, near=0.9) == [0, 3, 4]  # 玉盘 is near 明珠, 珠色 shares 珠
    assert pick_diverse(scores, words, embeds, 3, near=0.96) == [0, 1, 3]
    assert pick_diverse(scores[::-1], words, embeds, 2, near=0.9) == [4, 3]
    assert pick_diverse(scores, words, embeds, 5, near=0.9) == [0, 3, 4]  # fewer are far enough apart


def test_ranked() -> None:
    assert ranked(["春", "夏", "秋"], np.array([0.1, -0.2, 0.3])) == [("秋", 0.3), ("春", 0.1), ("夏", -0.2)]
    with pytest.raises(ValueError):
        ranked(["春"], np.array([0.1, 0.2]))


def test_what_cannot_be_true_together_gives_way() -> None:
    words, scores = ["朝霞", "暮山", "春水", "秋树", "孤舟"], np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    assert pick_diverse(scores, words, np.eye(5, dtype=np.float32), 5) == [0, 2, 4]
    assert pick_diverse(scores, words, np.eye(5, dtype=np.float32), 5, least=0.65) == [0, 2]
    assert pick_diverse(scores, words, np.eye(5, dtype=np.float32), 3, taken=[4]) == [4, 0, 2]


def test_vectors_lose_what_they_share() -> None:
    rng = np.random.default_rng(0)
    embeds = unit(rng, 50, 8) + 10 * np.eye(8, dtype=np.float32)[0]
    assert dot(embeds[0], embeds[1]) / np.linalg.norm(embeds[0]) / np.linalg.norm(embeds[1]) > 0.95
    found = without_mean(embeds)
    assert np.linalg.norm(found, axis=1) == pytest.approx(np.ones(50)) and abs((found @ found.T).mean()) < 0.05
    assert not np.isnan(without_mean(embeds[:1])).any()  # of one vector nothing is left


def test_twins_equal_a_plain_loop() -> None:
    rng = np.random.default_rng(1)
    cosines, priors = rng.standard_normal((40, 12)), rng.standard_normal(12)
    cosines[:, 3] = cosines[:, 7] + 0.01 * rng.standard_normal(40)
    cosines[:, 5] = 2 * cosines[:, 7] - 1
    leaders = {}
    for index in sorted(range(12), key=lambda i: -priors[i]):
        if index not in leaders:
            for other in range(12):
                if other not in leaders and np.corrcoef(cosines[:, index], cosines[:, other])[0, 1] >= 0.95:
                    leaders[other] = index
    assert twins(cosines, priors).tolist() == [leaders[i] for i in range(12)]
    assert len({leaders[3], leaders[5], leaders[7]}) == 1 and len(set(leaders.values())) == 10


# --- WordRanker ---

PICTURES = np.eye(4, dtype=np.float32)  # and a word that looks like each, one that is hardly any, one like a word
WORDS, PHOTOS = ["山", "夜", "星", "湖", "峰"], np.array([100, 50, 20, 30, 2])
EMBEDS = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0.3, 1, 0], [0, 0, 0, 1], [1, 0, 0, 0.01]], dtype=np.float32)
CALIBRATION = Calibration(0.2, 3.0, -2.0)


@pytest.fixture
def ranker() -> WordRanker:
    return WordRanker(WORDS, EMBEDS, log_prior(PHOTOS, LABELLED), np.repeat(PICTURES, 30, 0), CALIBRATION)


def test_probabilities_equal_the_formula(ranker) -> None:
    cosines = PICTURES @ EMBEDS.T
    z_scores = (cosines - cosines.mean(0)) / cosines.std(0)
    for row, chances in zip(z_scores, ranker.probabilities(PICTURES), strict=True):
        for z, photos, chance in zip(row, PHOTOS, chances, strict=True):
            logit = 3 * (z + 0.2 * math.log(photos / 828 + 0.004)) - 2
            assert chance == pytest.approx(1 / (1 + math.exp(-logit)), abs=1e-5)


def test_rank_is_by_probability_and_says_what_is_claimed(ranker) -> None:
    for row, chances in zip(ranker.rank(PICTURES), ranker.probabilities(PICTURES), strict=True):
        assert [scored.word for scored in row] == [WORDS[i] for i in np.argsort(-chances, kind="stable")]
        assert all(scored.seen == (scored.probability >= CLAIMED) for scored in row)


def test_best_claims_only_what_is_likely_and_twins_once(ranker) -> None:
    assert ranker.twins_of("峰") == ranker.twins_of("山") == ["山", "峰"] and ranker.twins_of("湖") == ["湖"]
    mountain, night, star, lake = ([scored.word for scored in row] for row in ranker.best(PICTURES, 4))
    assert mountain == ["山"] and lake == ["湖"] and night == ["夜"]
    assert star == [], "a star is claimed only where it is night"
    starry = np.array([[0, 1, 1, 0]], dtype=np.float32)
    assert {scored.word for scored in ranker.best(starry, 4)[0]} == {"夜", "星"}
    assert len(ranker.best(starry, 1)[0]) == 1


def test_a_picture_may_show_nothing(ranker) -> None:
    assert ranker.best(np.full((1, 4), 0.01, dtype=np.float32), 4) == [[]]


def test_a_near_word_that_is_true_is_better_than_none() -> None:
    embeds = np.array([[1, 0, 0, 0], [0.9, 0.44, 0, 0], [0, 0, 1, 0]], dtype=np.float32)
    near = WordRanker(["塔", "寺", "湖"], embeds, np.zeros(3), np.repeat(PICTURES, 30, 0), Calibration(0.0, 3.0, -2.0))
    assert near.twins_of("塔") == ["塔"]
    assert [scored.word for scored in near.best(PICTURES[:1], 4)[0]] == ["塔", "寺"]
    assert [scored.word for scored in near.best(PICTURES[:1], 1)[0]] == ["塔"]


def test_few_reference_pictures_make_no_twins() -> None:
    few = WordRanker(WORDS, EMBEDS, log_prior(PHOTOS, LABELLED), np.repeat(PICTURES, 2, 0), CALIBRATION)
    assert few.leaders.tolist() == list(range(len(WORDS))) and few.without_twins.words == WORDS
