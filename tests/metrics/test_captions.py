"""metrics.captions: CIDEr-D and BLEU as pycocoevalcap has them, variety, copies, the bootstrap."""

import numpy as np
import pytest

from helpers.metrics import bleu, characters, cider_d, ngrams, originality, paired_bootstrap

CAPTIONS = ["一只小船停在湖边。", "山上有雪", "雪地里有一只狗", "狗"]
REFERENCES = [
    ["一只小船停在湖边", "湖边停着一只船。", "平静的湖面上有小船"],
    ["雪山", "远处的山上覆盖着白雪", "山 上 有 雪。"],
    ["一只狗在雪地里奔跑", "雪地里的狗"],
    ["草地上的一只黑狗在追皮球", "一只黑狗", "狗在草地上跑"],
]
# pycocoevalcap 1.2: Cider().compute_score and Bleu(4).compute_score of these, characters with spaces between them
CIDER_D = [4.75881175, 4.36084497, 3.80309147, 0.56798863]
BLEU = [0.9036679531853115, 0.8672635721524111, 0.8194982764774272, 0.7486350649293456]


def test_as_pycocoevalcap() -> None:
    np.testing.assert_allclose(cider_d(CAPTIONS, REFERENCES), CIDER_D, atol=1e-7)
    np.testing.assert_allclose(bleu(CAPTIONS, REFERENCES), BLEU, atol=1e-9)


def test_the_first_reference_is_worth_most() -> None:
    """A caption that says what nobody said of any picture gets nothing."""
    best = cider_d([group[0] for group in REFERENCES], REFERENCES)
    assert (best > cider_d(["天空"] * 4, REFERENCES)).all()
    assert cider_d(["天空"] * 4, REFERENCES) == pytest.approx(0)
    assert bleu(["空"] * 4, REFERENCES) == [0, 0, 0, 0]


def test_nothing_at_all_is_no_error() -> None:
    assert cider_d([""] * 4, REFERENCES) == pytest.approx(0)
    assert bleu([""] * 4, REFERENCES) == [0, 0, 0, 0]


def test_words_that_everybody_uses_count_little() -> None:
    """Two captions that share as much with their reference; one shares what every picture's captions have."""
    references = [["一只黑狗"], ["一只白猫"], ["一只小船"], ["一只飞鸟"]]
    scores = cider_d(["一只", "白猫", "小船", "飞鸟"], references)
    assert scores[0] == pytest.approx(0) and (scores[1:] > 2).all()


@pytest.mark.parametrize(("captions", "references"), [([], []), (["狗"], []), (["狗"], [[]])])
def test_a_picture_without_references(captions, references) -> None:
    for metric in (cider_d, bleu):
        with pytest.raises(ValueError, match="at least one reference"):
            metric(captions, references)


def test_characters_and_ngrams() -> None:
    assert characters(" 山 上有雪。") == "山上有雪"
    assert [dict(counts) for counts in ngrams("山山水")] == [
        {"山": 2, "水": 1}, {"山山": 1, "山水": 1}, {"山山水": 1}, {}
    ]  # fmt: skip


def test_originality() -> None:
    found = originality(["山。", "山", "水边的船", "狗"], ["山", "一只狗"])
    assert found == {"distinct": 3, "length": (1 + 1 + 4 + 1) / 4, "copied": 0.5}


def test_paired_bootstrap() -> None:
    rng = np.random.default_rng(0)
    theirs = rng.normal(size=200)
    assert paired_bootstrap(theirs + 1, theirs) == 0
    assert paired_bootstrap(theirs, theirs) == paired_bootstrap(theirs, theirs + 1) == 1
    assert 0.2 < paired_bootstrap(theirs, rng.permutation(theirs)) < 0.8
    close = theirs + rng.normal(0.1, 1, size=200)
    assert paired_bootstrap(close, theirs) == paired_bootstrap(close, theirs)
