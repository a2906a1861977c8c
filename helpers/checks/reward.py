"""Checks of notebook 07: leave-one-out, and the two bugs of an interrogator."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from helpers.checks.exercise import answer, as_array, exercise, expect

WORTH = {"甲": -1.0, "乙": -3.0, "丙": 2.0, "丁": -0.5}  # what each phrase adds to a text's score of 10


@exercise("better than the others")
def check_leave_one_out(fn: Callable) -> None:
    """fn(rewards (N, k)) -> (N, k): each minus the mean of the others of its row."""
    rewards = np.array([[1.0, 2.0, 6.0], [0.0, 0.0, 3.0]])
    got = as_array(answer(fn, rewards.copy()), rewards.shape)

    def same(other: np.ndarray) -> bool:
        return bool(np.allclose(got, other))

    expect(not same(rewards - rewards.mean(1, keepdims=True)), "That is the mean of all: leave the draw itself out.")
    expect(not same(rewards - rewards.mean()), "Compare with draws for the same picture, not with all.")
    expect(not same(rewards - rewards.mean(0)), "A row is a picture: take the mean over the columns.")
    right = (rewards - rewards.mean(1, keepdims=True)) * 3 / 2
    expect(not same(-right), "Better is positive.")
    expect(same(right), "Each reward minus the mean of the k - 1 others of its row.")


def summed(texts: Sequence[str]) -> list[float]:
    """The score of each text, above zero as cosines mostly are."""
    return [10 + sum(WORTH.get(char, 0.0) for char in text) for text in texts]


@exercise("the negative chain")
def check_negative_chain(fn: Callable) -> None:
    """fn(phrases, scores, most=4) -> phrases that lower the score, the one that lowers it most first."""
    got = list(answer(fn, list(WORTH), summed))
    expect(got[:1] != ["丙"], "It goes up: in the negative the lowest score wins.")
    expect(got != ["乙"], "It ends with its first phrase: the score to beat must be turned round like the candidates'.")
    expect("丙" not in got, "丙 raises the score: the chain must end before it.")
    expect(got == ["乙", "甲", "丁"], "The phrases that lower the score, the one that lowers it most first.")
    expect(list(fn(list(WORTH), summed, 2)) == ["乙", "甲"], "At most `most` phrases.")


@exercise("ranking in blocks")
def check_rank(fn: Callable) -> None:
    """fn(scores (M,), k, block=4, reverse=False) -> the k best, or the k worst, the most extreme first."""
    scores = np.random.default_rng(0).permutation(11).astype(float)
    best = [int(i) for i in answer(fn, scores, 3)]
    expect(best == np.argsort(-scores)[:3].tolist(), "Without `reverse` it was right: the k best, the best first.")
    worst = [int(i) for i in fn(scores, 3, reverse=True)]
    expect(len(worst) == 3, f"k indices are wanted, not {len(worst)}.")
    right = np.argsort(scores)[:3].tolist()
    expect(set(worst) == set(right), "Of the blocks' worst it takes the best: the last pass forgets `reverse`.")
    expect(worst == right, "With `reverse` the k worst, the worst first.")
