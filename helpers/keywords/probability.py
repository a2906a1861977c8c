"""How likely it is that a word is true of a picture: one logistic of its standard score and of how common it is.

A word that stands out by two standard deviations is no surety: 湖 stands out where there is a lake, 蓬莱 wherever there
is water. How often people really name a word when they look at photographs, its prior, is the other half of the answer.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

FLOOR = 0.004  # added to each word's rate: what nobody named in 828 photographs may still be there
CLAIMED = 0.5  # words less likely than this are not said to be seen


class Calibration(NamedTuple):
    """p = sigmoid(slope * (z + prior_weight * log prior) + intercept), fitted by `recipes.image_text.keyword_table`."""

    prior_weight: float
    slope: float
    intercept: float

    def total_scores(self, z_scores: np.ndarray, log_prior: np.ndarray) -> np.ndarray:
        """Standard scores (N, M) and log prior (M,) on one scale: (N, M)."""
        return z_scores + self.prior_weight * log_prior

    def probabilities(self, z_scores: np.ndarray, log_prior: np.ndarray) -> np.ndarray:
        """Standard scores (N, M) and log prior (M,) -> probabilities (N, M)."""
        logits = self.slope * self.total_scores(z_scores, log_prior) + self.intercept
        return (1 + np.tanh(logits / 2)) / 2  # the sigmoid, without an overflow


def log_prior(photos: np.ndarray, total: int) -> np.ndarray:
    """Logarithm of each word's rate: in how many of `total` photographs it was named (M,) -> (M,)."""
    return np.log(photos / total + FLOOR)
