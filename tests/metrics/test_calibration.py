"""metrics.calibration: bins counted by hand, an honest forecaster, a boaster."""

import numpy as np
import pytest

from helpers.metrics import expected_calibration_error, reliability


def test_bins_by_hand() -> None:
    probabilities = np.array([[0.05, 0.95], [1.0, 0.91]])
    truth = np.array([[False, True], [False, True]])
    assert reliability(probabilities, truth) == [(0.05, 0.0, 1), (pytest.approx(2.86 / 3), pytest.approx(2 / 3), 3)]
    assert expected_calibration_error(probabilities, truth) == pytest.approx((0.05 + 3 * (2.86 / 3 - 2 / 3)) / 4)


def test_an_honest_forecaster_and_a_boaster() -> None:
    rng = np.random.default_rng(0)
    chances = rng.random(100_000)
    truth = rng.random(100_000) < chances
    assert expected_calibration_error(chances, truth) < 0.01
    assert expected_calibration_error(chances**0.2, truth) > 0.2
