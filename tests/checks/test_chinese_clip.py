"""The checks of notebook 02 take right answers and name the typical mistakes."""

import numpy as np

from helpers.checks import check_text_neighbours
from helpers.keywords import calibrated_scores
from helpers.metrics import k_occurrence
from tests.checks.answer_tests import answer_tests


def softmax(scores, axis=1):
    exponentials = np.exp(scores - scores.max(axis, keepdims=True))
    return exponentials / exponentials.sum(axis, keepdims=True)


def text_neighbours(embeds, scale, hidden=-np.inf, axis=1):
    scores = scale * embeds @ embeds.T
    np.fill_diagonal(scores, hidden)
    return softmax(scores, axis)


def diverse(scores, embeds, k, near, look_back=None, strict=False):
    chosen = []
    for index in np.argsort(-scores):
        cosines = [embeds[index] @ embeds[other] for other in chosen[look_back:]]
        if all(cosine <= near if strict else cosine < near for cosine in cosines):
            chosen.append(int(index))
    return chosen[:k]


def filled_up(scores, embeds, k, near):
    """With near-synonyms, best first, where too few words are left."""
    chosen = diverse(scores, embeds, k, near)
    return [*chosen, *(index for index in np.argsort(-scores) if index not in chosen)][:k]


RIGHT = {
    "check_calibrated": calibrated_scores,
    "check_text_neighbours": text_neighbours,
    "check_k_occurrence": k_occurrence,
    "check_diverse": diverse,
}
WRONG = [
    ("check_calibrated", lambda i, t, r: i @ t.T, "raw cosines"),
    ("check_calibrated", lambda i, t, r: calibrated_scores(i, t, r).T, "(M, N)"),
    ("check_calibrated", lambda i, t, r: calibrated_scores(i, t, i), "not over these ones"),
    ("check_calibrated", lambda i, t, r: i @ t.T - (i @ t.T).mean(1, keepdims=True), "the picture's mean"),
    ("check_calibrated", lambda i, t, r: i @ t.T - (r @ t.T).mean(), "not one for all"),
    ("check_calibrated", lambda i, t, r: calibrated_scores(i, t, r) / (r @ t.T).std(0), "the spread"),
    ("check_calibrated", lambda i, t, r: i @ t.T + (r @ t.T).mean(0), "minus each word's mean"),
    ("check_calibrated", lambda i, t, r: calibrated_scores(i, t, r)[:, 0], "the shape (2, 3)"),
    ("check_text_neighbours", lambda e, s: softmax(s * e @ e.T), "exclude the diagonal"),
    ("check_text_neighbours", lambda e, s: text_neighbours(e, s, hidden=0), "exp(0) = 1"),
    ("check_text_neighbours", lambda e, s: softmax(s * e @ e.T) * (1 - np.eye(len(e))), "not after it"),
    ("check_text_neighbours", lambda e, s: text_neighbours(e, s, axis=0), "axis 1"),
    ("check_text_neighbours", lambda e, s: text_neighbours(e, 1), "logit_scale"),
    ("check_text_neighbours", lambda e, s: text_neighbours(e, -s), "-inf on its diagonal"),
    ("check_text_neighbours", lambda e, s: text_neighbours(e, s).argmax(1), "the shape (4, 4)"),
    ("check_k_occurrence", lambda s, k: k_occurrence(-s, k), "worst"),
    ("check_k_occurrence", lambda s, k: k_occurrence(s, 1), "first place"),
    ("check_k_occurrence", lambda s, k: np.full(s.shape[1], k), "not k queries"),
    ("check_k_occurrence", lambda s, k: k_occurrence(s, k) / len(s), "not shares"),
    ("check_k_occurrence", lambda s, k: k_occurrence(s, k)[:3], "shape"),
    ("check_k_occurrence", lambda s, k: k_occurrence(s, 3), "add up to 6, not 9"),
    ("check_k_occurrence", lambda s, k: np.sort(k_occurrence(s, k)), "Item 1 is among"),
    ("check_k_occurrence", lambda s, k: k_occurrence(s, 2), "For k = 1"),
    ("check_diverse", lambda s, e, k, near: np.argsort(-s)[:k], "the k best"),
    ("check_diverse", lambda s, e, k, near: diverse(s, e, k, near, look_back=-1), "all the chosen"),
    ("check_diverse", lambda s, e, k, near: diverse(-s, e, k, near), "best word"),
    ("check_diverse", lambda s, e, k, near: [0, 2, 2], "chosen twice"),
    ("check_diverse", lambda s, e, k, near: diverse(s, e, 2, near), "Walk down the ranking"),
    ("check_diverse", filled_up, "return those three"),
    ("check_diverse", lambda s, e, k, near: diverse(s, e, k, min(near, 0.9)), "No cosine reaches 1.1"),
    ("check_diverse", lambda s, e, k, near: diverse(s, e, k, near, strict=True), "exactly"),
]

test_right_answers_pass, test_empty_functions_are_not_yet, test_mistakes_are_named = answer_tests(RIGHT, WRONG)


def test_a_large_scale_must_not_overflow(capsys):
    def careless(embeds, scale):
        exponentials = np.exp(scale * embeds @ embeds.T) * (1 - np.eye(len(embeds)))
        return exponentials / exponentials.sum(1, keepdims=True)

    with np.errstate(all="ignore"):
        check_text_neighbours(careless)
    assert "overflows" in capsys.readouterr().out
