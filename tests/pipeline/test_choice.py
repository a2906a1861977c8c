"""pipeline.choice: rules first, then the picture and the likelihood."""

import numpy as np
import pytest

from helpers.options import PoemOptions
from helpers.pipeline import Choice, best_first, broken_rules, image_text_fit, standardise, total_scores
from helpers.poems import Poem

GOOD = ["白日依山尽", "黄河入海流", "欲穷千里目", "更上一层楼"]


def test_fit_is_the_cosine_beyond_the_texts_own_mean() -> None:
    rng = np.random.default_rng(0)
    images, texts, references = rng.normal(size=(2, 5)), rng.normal(size=(2, 3, 5)), rng.normal(size=(7, 5))
    fit = image_text_fit(images, texts, references)
    expected = texts[1, 2] @ images[1] - np.mean([texts[1, 2] @ reference for reference in references])
    assert fit.shape == (2, 3) and fit[1, 2] == pytest.approx(expected)


def test_standardised_rows() -> None:
    rows = standardise(np.array([[1.0, 2.0, 3.0], [5.0, 5.0, 5.0]]))
    assert rows[0].mean() == pytest.approx(0) and rows[0].std() == pytest.approx(1) and not rows[1].any()


def test_picture_and_likelihood_count_alike() -> None:
    fit, likelihood = np.array([[0.0, 1.0]]), np.array([[-1.0, -2.0]])
    assert total_scores(fit, np.zeros((1, 2))).argmax() == 1
    assert total_scores(np.zeros((1, 2)), likelihood).argmax() == 0
    np.testing.assert_allclose(total_scores(fit, likelihood), 0, atol=1e-9)
    middling = total_scores(np.array([[0.0, 0.8, 1.0]]), np.array([[-1.0, -1.2, -2.0]]))
    assert middling.argmax() == 1


@pytest.mark.parametrize(
    ("lines", "broken"),
    [
        (GOOD, 0),
        ([*GOOD[:3], "更上一层山"], 2),  # no rhyme, and 山 again
        ([*GOOD[:3], "更上一层塔"], 1),  # no rhyme
        (["白日依山尽", "悠悠入海流", *GOOD[2:]], 0),  # doubled once
        (["白日依山尽", "悠悠入海流", "欲穷处处目", GOOD[3]], 1),  # and again
        (["白日依水尽", *GOOD[1:]], 1),  # level and oblique out of order
    ],
)
def test_rules_that_were_asked_for(lines, broken) -> None:
    assert broken_rules(lines, PoemOptions(form="5x4")) == broken


def test_rules_that_were_not() -> None:
    assert broken_rules([*GOOD[:3], "更上一层塔"], PoemOptions(rhyme=False)) == 0
    assert broken_rules(["白日依水尽", *GOOD[1:]], PoemOptions(tone=False)) == 0


def test_a_broken_rule_outweighs_any_score() -> None:
    totals, broken = np.array([[0.1, 9.0, 0.2]]), np.array([[0, 1, 0]])
    assert best_first(totals, broken).tolist() == [[2, 0, 1]]


def test_a_missing_word_counts_as_a_broken_rule() -> None:
    assert broken_rules(GOOD, PoemOptions(form="5x4"), ["黄河", "落日", "白日"]) == 1


class Encoder:
    """Texts on a line: the more 山 they have, the nearer to the picture; counts what it encodes."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def encode_texts(self, texts: list[str]) -> np.ndarray:
        self.texts += texts
        return np.array([[text.count("山"), 1.0] for text in texts])


class Reader:
    """Finds all poems equally coherent."""

    def coherence(self, poems: list) -> np.ndarray:
        return np.zeros(len(poems))


def test_coherence_counts() -> None:
    poems = [Poem((f"白日依山{end}", *GOOD[1:]), ("白",), -1.0) for end in "尽落出没"]
    reader = Reader()
    reader.coherence = lambda lines: np.array([0.0, 1.0, 5.0, 2.0])
    choice = Choice(Encoder(), np.array([[0.0, 1.0]]), reader)
    (ordered,) = choice.best_first(np.array([[1.0, 0.0]]), [poems], PoemOptions(form="5x4", keyword_per_line=False))
    assert [poem.lines[0][-1] for poem in ordered] == [*"出没落尽"]


def test_only_finalists_are_compared_with_the_picture() -> None:
    poems = [Poem((("山" * (i % 7)).ljust(5, "水"), "乙", "丙", "丁"), ("山",), -i / 10) for i in range(48)]
    encoder = Encoder()
    choice = Choice(encoder, np.array([[0.0, 1.0]]), Reader())
    options = PoemOptions(form="5x4", keyword_per_line=False)
    (ordered,) = choice.best_first(np.array([[1.0, 0.0]]), [poems], options)
    assert len(encoder.texts) == 12 and sorted(map(id, ordered)) == sorted(map(id, poems))
    broken = [broken_rules(poem.lines, options) for poem in ordered]
    assert broken == sorted(broken)
    by_likelihood = sorted(poems, key=lambda poem: (broken_rules(poem.lines, options), -poem.log_likelihood))
    assert {poem.lines for poem in ordered[:12]} == {poem.lines for poem in by_likelihood[:12]}
    assert ordered[12:] == by_likelihood[12:] and ordered[:12] != by_likelihood[:12]


def test_a_list_of_its_words_counts_as_a_broken_rule() -> None:
    assert broken_rules(GOOD, PoemOptions(form="5x4"), ["白日", "黄河", "千里"]) == 0
    assert broken_rules(GOOD, PoemOptions(form="5x4"), ["白日", "黄河", "欲"]) == 1
