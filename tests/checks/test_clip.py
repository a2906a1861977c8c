"""The checks of notebook 01 take right answers and name the typical mistakes."""

import numpy as np
import torch

from helpers.checks import check_loss
from tests.checks.answer_tests import answer_tests


def hits(scores, owners, k):
    return (np.argsort(-scores, axis=1)[:, :k] == owners[:, None]).any(1)


def recall(scores, owners, k):
    return 100 * hits(scores, owners, k).mean()


def masked_sum(features, mask):
    return (features * mask[..., None]).sum(1)


def masked_mean(features, mask):
    return masked_sum(features, mask) / mask.sum(1, keepdim=True)


def direction(logits, axis):
    return -logits.log_softmax(axis).diagonal().mean()


def loss(logits):
    return (direction(logits, 0) + direction(logits, 1)) / 2


def careless_loss(logits):
    return -sum(logits.softmax(axis).log().diagonal().mean() for axis in (0, 1)) / 2


def batches(owners, batch_size, rng):
    """One caption of every picture, then a second one of every picture, and so on."""
    pictures = len(set(owners))
    captions = rng.permuted(np.arange(len(owners)).reshape(pictures, -1), axis=1)  # as many for each picture
    rounds = [rng.permutation(column) for column in captions.T]
    return np.concatenate(rounds).reshape(-1, batch_size)


def with_replacement(owners, batch_size, rng):
    pictures = [rng.choice(12, batch_size, replace=False) for _ in range(9)]
    return [3 * chosen + rng.integers(3, size=batch_size) for chosen in pictures]


RIGHT = {
    "check_recall": recall,
    "check_masked_mean": masked_mean,
    "check_loss": loss,
    "check_batches": batches,
}
WRONG = [
    ("check_recall", hits, "the shape ()"),
    ("check_recall", lambda s, o, k: hits(s, o, k).mean(), "In per cent"),
    ("check_recall", lambda s, o, k: hits(s, o, k).sum(), "how many there are"),
    ("check_recall", lambda s, o, k: recall(-s, o, k), "For k = 1"),
    ("check_recall", lambda s, o, k: recall(s, o, 1), "For k = 2"),
    ("check_recall", lambda s, o, k: recall(s, o, min(k, 2)), "With k = N"),
    ("check_masked_mean", lambda f, m: masked_mean(f, m).mean(), "one vector a text"),
    ("check_masked_mean", lambda f, m: masked_mean(f, m).numpy(), "Return a tensor"),
    ("check_masked_mean", lambda f, m: f.mean(1), "padding included"),
    ("check_masked_mean", lambda f, m: masked_sum(f, m) / f.shape[1], "not by T"),
    ("check_masked_mean", lambda f, m: f.sum(1) / m.sum(1, keepdim=True), "is (2, 3)"),
    ("check_loss", lambda x: loss(x).item(), "a scalar"),
    ("check_loss", lambda x: -x.log_softmax(1).diagonal(), "a scalar"),
    ("check_loss", lambda x: -loss(x), "The sign"),
    ("check_loss", lambda x: direction(x, 1), "over the columns is missing"),
    ("check_loss", lambda x: direction(x, 0), "over the rows is missing"),
    ("check_loss", lambda x: 2 * loss(x), "not their sum"),
    ("check_loss", lambda x: -x.diagonal().mean(), "log p of the diagonal"),
    ("check_loss", lambda x: -x.log_softmax(1).mean(), "log p of the diagonal"),
    ("check_loss", careless_loss, "exp overflows"),
    ("check_batches", lambda o, b, rng: np.split(batches(o, b, rng).ravel(), 4), "`batch_size` captions"),
    ("check_batches", lambda o, b, rng: rng.permutation(len(o)).reshape(-1, b), "two captions of one picture"),
    ("check_batches", lambda o, b, rng: np.arange(len(o)).reshape(-1, b), "two captions of one picture"),
    ("check_batches", with_replacement, "more than once"),
    ("check_batches", lambda o, b, rng: batches(o, b, rng)[:3], "12 were used"),
    ("check_batches", lambda o, b, rng: batches(o, b, np.random.default_rng(0)), "another order"),
]

test_right_answers_pass, test_empty_functions_are_not_yet, test_mistakes_are_named = answer_tests(RIGHT, WRONG)


def test_a_check_survives_any_answer(capsys):
    check_loss(lambda logits: torch.zeros(3) @ logits.new_zeros(4))
    assert "not yet. It raised RuntimeError" in capsys.readouterr().out
