"""captioning.interrogator: tables, prompts and chains in a space of a few dimensions, where all can be told by hand."""

import numpy as np
import pytest

from helpers.captioning import LEAST, Interrogator
from helpers.keywords import ANY_WORD, FLAWS, LABELLED, VERSE, Calibration, Phrase, WordRanker, log_prior
from helpers.options import INTERROGATION_MODES

DIRECTIONS = {"海": 0, "船": 1, "山": 2, "花": 3, "鸟": 4}  # a thing, and the dimension that says it is there
PHRASES = [
    Phrase("大海", "the sea", "place"), Phrase("深山", "deep hills", "place"),
    Phrase("帆船", "a sail", VERSE), Phrase("繁花", "blossom", VERSE), Phrase("归鸟", "birds", VERSE),
    Phrase("油画", "an oil painting", "medium"), Phrase("模糊", "blurred", FLAWS),
]  # fmt: skip


class Counting:
    """A text points to the things that it names, and a little away from all, as all texts do."""

    fingerprint = "counting"

    def encode_texts(self, texts, cache: bool = False) -> np.ndarray:
        vectors = np.zeros((len(texts), 6))
        for row, text in zip(vectors, texts, strict=True):
            for char, number in DIRECTIONS.items():
                row[number] = text.count(char)
            row[5] = 0.3
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def pictures(*things: str) -> np.ndarray:
    rows = np.array([[float(char in row) for char in DIRECTIONS] + [0.5] for row in things])
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def interrogator() -> Interrogator:
    encoder = Counting()
    reference = np.abs(np.random.default_rng(0).normal(size=(200, 6)))
    reference /= np.linalg.norm(reference, axis=1, keepdims=True)
    words = [phrase.text for phrase in PHRASES]
    prior = log_prior(np.full(len(words), ANY_WORD), LABELLED)
    ranker = WordRanker(words, encoder.encode_texts(words), prior, reference, Calibration(0.5, 1.0, -2.0))
    return Interrogator(encoder, PHRASES, ranker)


def test_the_tables_hold_their_own_phrases_best_first(interrogator) -> None:
    (found,) = interrogator(pictures("海船"), ["海边。"], "fast", k=2)
    assert {table: [link.phrase for link in row][0] for table, row in found.tables.items()} == {
        "place": "大海", VERSE: "帆船", "medium": "油画", FLAWS: "模糊",
    }  # fmt: skip
    for row in found.tables.values():
        assert len(row) <= 2 and [link.score for link in row] == sorted((link.score for link in row), reverse=True)
    scores = interrogator.ranker.scores(pictures("海船"))[0]
    assert found.tables["place"][0].score == pytest.approx(scores[0])  # of an uncounted phrase the standard score


def test_words_that_people_see_often_are_raised(interrogator) -> None:
    ranker, picture = interrogator.ranker, pictures("海")
    before = interrogator.scores(picture)[0]
    ranker.log_prior = log_prior(np.array([ANY_WORD, 400, *[ANY_WORD] * 5]), LABELLED)
    raised = interrogator.scores(picture)[0] - before
    assert raised[1] == pytest.approx(0.5 * (np.log(400 / 828 + 0.004) - np.log(1 / 828 + 0.004)))
    assert not raised[[0, *range(2, 7)]].any()


@pytest.mark.parametrize("mode", INTERROGATION_MODES)
def test_a_picture_answers_the_same_in_any_batch(interrogator, mode) -> None:
    alone = [interrogator(pictures(things), [text], mode)[0] for things, text in (("海", "海。"), ("山花", "花。"))]
    together = interrogator(pictures("海", "山花"), ["海。", "花。"], mode)
    assert [found.prompt for found in together] == [found.prompt for found in alone]
    assert interrogator(np.zeros((0, 6)), [], mode) == []


def test_a_chain_climbs_from_the_caption(interrogator) -> None:
    (found,) = interrogator(pictures("海船鸟"), ["海边。"], "best")
    assert found.chain[0].phrase == found.caption == "海边"
    scores = [link.score for link in found.chain]
    assert len(scores) > 1 and scores == sorted(scores)
    texts = ["，".join(link.phrase for link in found.chain[: i + 1]) for i in range(len(scores))]
    measured = interrogator.text_scores(pictures("海船鸟").repeat(len(texts), 0), texts)
    np.testing.assert_allclose(measured, scores, rtol=1e-6)  # of the whole text, link by link
    assert "模糊" not in texts[-1]


def test_the_prompt_is_the_best_of_four(interrogator) -> None:
    picture, caption = pictures("海船鸟"), "海边"
    (found,) = interrogator(picture, [caption], "best")
    others = [interrogator(picture, [caption], mode)[0].prompt for mode in ("fast", "classic")]
    chain = "，".join(link.phrase for link in found.chain)
    tries = [caption, *others, chain]
    scores = interrogator.text_scores(picture.repeat(4, 0), tries)
    assert found.prompt == tries[int(scores.argmax())]


def test_the_negative_goes_down_and_on(interrogator) -> None:
    """With the score to beat not turned round it would end with its first phrase."""
    (found,) = interrogator(pictures("海"), ["海边。"], "negative")
    scores = [link.score for link in found.chain]
    assert len(scores) >= 4 and "大海" not in found.prompt
    best = interrogator(pictures("海"), ["海边。"], "best")[0]
    assert scores[-1] < best.chain[0].score and found.prompt == "，".join(link.phrase for link in found.chain)


def test_what_does_not_stand_out_is_left_out(interrogator, monkeypatch) -> None:
    scores = np.where([phrase.text == "大海" for phrase in PHRASES], LEAST + 1, LEAST - 1)
    assert interrogator.fast("海边", scores) == interrogator.classic("海边", scores) == "海边，大海"
    assert interrogator.fast("", scores) == "大海" and interrogator.fast("", scores - 2) == ""


def test_a_line_gets_no_prose(interrogator) -> None:
    rows = interrogator.words_for_verse(pictures("海船", "山"), [["繁花"], []], k=3, unknown={"鸟"})
    assert [row[0].word for row in rows] == ["繁花", "深山"] and len(rows[0]) == 3
    words = {scored.word for row in rows for scored in row}
    assert not words & {"油画", "模糊", "归鸟"}


def test_an_unknown_mode(interrogator) -> None:
    with pytest.raises(ValueError, match="unknown mode 'long': choose one of fast, classic, best, negative"):
        interrogator(pictures("海"), ["海"], "long")


def test_a_prompt_in_english(interrogator) -> None:
    """Words of another script share letters and exclude nothing by it."""
    assert interrogator.joined(["海边", "船", ""]) == "海边，船"
    words = [phrase.gloss for phrase in PHRASES]
    ranker = interrogator.ranker
    english = WordRanker(words, ranker.embeds, ranker.log_prior, ranker.reference_embeds, ranker.calibration)
    other = Interrogator(interrogator.encoder, PHRASES, english, comma=", ")
    assert other.fast("a bay", np.full(len(words), LEAST + 1.0)).count(", ") > 3
