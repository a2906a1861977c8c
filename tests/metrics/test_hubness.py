"""metrics.hubness: what a hub is, and that the corrections take its advantage away."""

import numpy as np
import pytest

from helpers.metrics import centred, csls, inverted_softmax, k_occurrence, recall_of_scores, skewness


@pytest.fixture
def with_hub():
    """40 queries whose right item is of their own number, and item 0, which is a little better for nearly everybody."""
    rng = np.random.default_rng(0)
    scores = 0.02 * rng.normal(size=(40, 40)) + 0.2 * np.eye(40)
    bank = 0.02 * rng.normal(size=(60, 40))
    scores[1:, 0] += 0.25
    bank[:, 0] += 0.25
    return scores, bank, np.eye(40, dtype=bool)


def test_k_occurrence_counts_by_hand() -> None:
    scores = np.array([[0.9, 0.1, 0.5], [0.8, 0.7, 0.1], [0.3, 0.2, 0.1]])
    assert k_occurrence(scores, 1).tolist() == [3, 0, 0]
    assert k_occurrence(scores, 2).tolist() == [3, 2, 1]
    assert k_occurrence(scores, 3).tolist() == [3, 3, 3]


def test_skewness() -> None:
    assert skewness(np.array([4, 4, 4])) == 0
    assert skewness(np.array([1, 2, 3])) == pytest.approx(0)
    assert skewness(np.array([0, 0, 0, 0, 10])) == pytest.approx(1.5)  # (4 * (-0.5)^3 + 2^3) / 5
    assert skewness(np.array([10, 10, 10, 10, 0])) == pytest.approx(-1.5)


@pytest.mark.parametrize("correct", [centred, csls, inverted_softmax])
def test_a_hub_loses_its_advantage(with_hub, correct) -> None:
    scores, bank, truth = with_hub
    better = correct(scores, bank)
    assert better.shape == scores.shape
    assert recall_of_scores(scores, truth, (1,))[1] < 20 < 95 < recall_of_scores(better, truth, (1,))[1]
    assert skewness(k_occurrence(better, 1)) < skewness(k_occurrence(scores, 1)) - 1


def test_formulas(with_hub) -> None:
    scores, bank, _ = with_hub
    assert centred(scores, bank)[3, 5] == pytest.approx(scores[3, 5] - bank[:, 5].mean())
    assert csls(scores, bank, k=3)[3, 5] == pytest.approx(2 * scores[3, 5] - np.sort(bank[:, 5])[-3:].mean())
    direct = np.log(np.exp(30 * scores[3, 5]) / np.exp(30 * bank[:, 5]).sum())
    assert inverted_softmax(scores, bank)[3, 5] == pytest.approx(direct)


def test_inverted_softmax_does_not_overflow(with_hub) -> None:
    scores, bank, _ = with_hub
    assert np.isfinite(inverted_softmax(scores, bank, inverse_temperature=1e5)).all()


@pytest.mark.parametrize("correct", [centred, csls, inverted_softmax])
def test_equal_items_keep_their_order(correct) -> None:
    """Where no item is anybody's hub there is nothing to correct."""
    scores = np.random.default_rng(1).normal(size=(10, 6))
    bank = np.tile(np.linspace(0, 1, 12)[:, None], (1, 6))
    assert np.array_equal(np.argsort(correct(scores, bank), axis=1), np.argsort(scores, axis=1))
