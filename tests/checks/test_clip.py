"""The checks of notebook 01 take right answers and name the typical mistakes."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from helpers.clip import masked_mean


def recall(scores, owners, k, factor=100, share=True, order=-1):
    nearest = np.argsort(order * scores, axis=1)[:, :k]  # (M, k)
    hits = (nearest == owners[:, None]).any(1)
    return factor * (hits.mean() if share else hits.sum())


def loss(logits, rows=1.0, columns=1.0, sign=1):
    labels = torch.arange(len(logits))
    return sign * (rows * cross_entropy(logits, labels) + columns * cross_entropy(logits.T, labels)) / 2


def careless_loss(logits):
    """softmax first, then the logarithm."""
    rows, columns = (-table.softmax(1).log().diagonal().mean() for table in (logits, logits.T))
    return (rows + columns) / 2


def unique_batches(owners, batch_size, rng, passes=3, shuffled=True, again=False):
    """A pass over the pictures takes one caption of each; `again`: every pass takes the same ones."""
    pictures = np.unique(owners)
    for number in range(passes):
        order = rng.permutation(pictures) if shuffled else pictures
        captions = [np.flatnonzero(owners == picture)[0 if again else number] for picture in order]
        yield from (captions[i : i + batch_size] for i in range(0, len(captions), batch_size))


def rows_of_captions(owners, batch_size, rng):
    order = np.arange(len(owners))
    return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]


RIGHT = {
    "check_recall": recall,
    "check_masked_mean": masked_mean,
    "check_loss": loss,
    "check_batches": unique_batches,
}
WRONG = [
    ("check_recall", lambda s, o, k: recall(s, o, k, factor=1), "In per cent"),
    ("check_recall", lambda s, o, k: recall(s, o, k, factor=1, share=False), "counts the texts"),
    ("check_recall", lambda s, o, k: recall(s, o, k, order=1), "two of these four texts"),
    ("check_recall", lambda s, o, k: recall(s, o, 1), "the second text's picture counts too"),
    ("check_recall", lambda s, o, k: recall(s, o, min(k, 2)), "With k = N"),
    ("check_masked_mean", lambda f, m: masked_mean(f, m)[:, 0], "one vector a text"),
    ("check_masked_mean", lambda f, m: f.mean(1), "padding included"),
    ("check_masked_mean", lambda f, m: (f * m[..., None]).sum(1) / m.shape[1], "not by T"),
    ("check_masked_mean", lambda f, m: (f * m[..., None]).sum(1), "The mean of (1, 2) and (3, 4)"),
    ("check_loss", lambda t: -t.log_softmax(1).diagonal(), "a scalar"),
    ("check_loss", lambda t: loss(t, sign=-1), "The sign"),
    ("check_loss", lambda t: loss(t, rows=2, columns=0), "the softmax over the columns is missing"),
    ("check_loss", lambda t: loss(t, rows=0, columns=2), "the softmax over the rows is missing"),
    ("check_loss", lambda t: loss(t, rows=2, columns=2), "not their sum"),
    ("check_loss", lambda t: loss(t / 2), "Take log p of the diagonal"),
    ("check_loss", careless_loss, "exp overflows"),
    ("check_batches", lambda o, b, r: [np.arange(3)], "`batch_size` captions"),
    ("check_batches", rows_of_captions, "two captions of one picture"),
    ("check_batches", lambda o, b, r: unique_batches(o, b, r, again=True), "more than once in an epoch"),
    ("check_batches", lambda o, b, r: unique_batches(o, b, r, passes=2), "24 were used"),
    ("check_batches", lambda o, b, r: unique_batches(o, b, r, shuffled=False), "another order"),
]


@pytest.mark.parametrize("name", RIGHT)
def test_right_answers_pass(name, verdict):
    assert verdict(name, RIGHT[name]).endswith(": ok\n")


@pytest.mark.parametrize(("name", "fn", "hint"), WRONG, ids=[hint for _, _, hint in WRONG])
def test_mistakes_are_named(name, fn, hint, verdict):
    out = verdict(name, fn)
    assert ": not yet. " in out and hint in out, out
