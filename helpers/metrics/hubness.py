"""Hubs: pictures (or texts) that are everybody's neighbour, and three corrections that make them less so.

Radovanović et al. 2010, "Hubs in Space", JMLR 11, section 4: in many dimensions a few points are among the nearest of
very many others. The corrections here look at a bank of queries that are not the ones being answered, training captions
say, and take from each item its score with everybody (Bogolin et al. 2022, "Cross Modal Retrieval with Querybank
Normalisation", section 3).
"""

from __future__ import annotations

import numpy as np


def k_occurrence(scores: np.ndarray, k: int = 10) -> np.ndarray:
    """For each item, the queries that have it among their k best: scores (Q, N) -> counts (N,) of mean Q * k / N."""
    k = min(k, scores.shape[1])
    nearest = np.argpartition(-scores, k - 1, axis=1)[:, :k]  # (Q, k)
    return np.bincount(nearest.ravel(), minlength=scores.shape[1])


def skewness(counts: np.ndarray) -> float:
    """The third standardised moment of the k-occurrences (N,): 0 where nobody is a hub, large where a few are."""
    return float((((counts - counts.mean()) / max(counts.std(), 1e-12)) ** 3).mean())


def centred(scores: np.ndarray, bank: np.ndarray) -> np.ndarray:
    """Minus the item's mean score with the bank: scores (Q, N), bank (R, N) -> (Q, N). Our calibration, once more."""
    return scores - bank.mean(0)


def csls(scores: np.ndarray, bank: np.ndarray, k: int = 10) -> np.ndarray:
    """Twice the score minus the item's mean over its k best in the bank: scores (Q, N), bank (R, N) -> (Q, N).

    Cross-domain similarity local scaling (Conneau et al. 2018, arXiv:1710.04087, section 2.3). The other half of the
    formula, the query's own mean, is the same for all items and so changes no ranking; it is left out.
    """
    k = min(k, len(bank))
    best = np.partition(bank, -k, axis=0)[-k:]  # (k, N)
    return 2 * scores - best.mean(0)


def inverted_softmax(scores: np.ndarray, bank: np.ndarray, inverse_temperature: float = 30.0) -> np.ndarray:
    """Log of the softmax over the bank's queries in place of one over the items: scores (Q, N), bank (R, N) -> (Q, N).

    Smith et al. 2017 (arXiv:1702.03859), section 2.3: an item that everybody likes has to share its probability.
    """
    sharp = inverse_temperature * bank
    highest = sharp.max(0)
    normaliser = highest + np.log(np.exp(sharp - highest).sum(0))  # (N,)
    return inverse_temperature * scores - normaliser
