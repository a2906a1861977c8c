"""Whether probabilities can be trusted: of all that is claimed at 70%, seven tenths should be true.

Guo et al. 2017, "On Calibration of Modern Neural Networks" (arXiv:1706.04599), section 2.
"""

from __future__ import annotations

import numpy as np


def reliability(probabilities: np.ndarray, truth: np.ndarray, bins: int = 10) -> list[tuple[float, float, int]]:
    """For each bin of equal width that is not empty: mean probability, share that is true, number of claims.

    `probabilities` in [0, 1] and `truth` (bool) of the same shape.
    """
    chances, facts = np.ravel(probabilities), np.ravel(truth)
    bin_of = np.minimum((chances * bins).astype(int), bins - 1)
    groups = [bin_of == number for number in range(bins)]
    return [(float(chances[own].mean()), float(facts[own].mean()), int(own.sum())) for own in groups if own.any()]


def expected_calibration_error(probabilities: np.ndarray, truth: np.ndarray, bins: int = 10) -> float:
    """The mean distance of probability and truth over the bins, each by its number of claims: 0 is perfect."""
    rows = reliability(probabilities, truth, bins)
    return sum(abs(claimed - true) * number for claimed, true, number in rows) / sum(number for *_, number in rows)
