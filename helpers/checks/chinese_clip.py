"""The exercises of notebook 02: Chinese CLIP."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from helpers.checks.exercise import answer, as_array, exercise, expect


@exercise("calibrated scores")
def check_calibrated(fn: Callable) -> None:
    """fn(image_embeds (N, D), text_embeds (M, D), reference_embeds (R, D)) -> (N, M), cosine minus the word's mean."""
    images = np.array([[1.0, 0.0], [0.6, 0.8]])
    texts = np.array([[0.8, 0.6], [0.0, 1.0], [1.0, 0.0]])
    references = np.array([[1.0, 0.0], [0.0, 1.0], [0.8, 0.6], [0.8, -0.6]])
    raw, general = images @ texts.T, references @ texts.T  # (2, 3) and (4, 3)
    result = answer(fn, images.copy(), texts.copy(), references.copy())
    expect(np.shape(result) != (3, 2), "That is (M, N): one row a picture, one column a word, please.")
    got = as_array(result, (2, 3))
    expect(not np.allclose(got, raw), "These are the raw cosines: take each word's mean over the references off.")
    expect(not np.allclose(got, raw - raw.mean(0)), "The mean runs over the reference pictures, not over these ones.")
    expect(not np.allclose(got, raw - raw.mean(1, keepdims=True)), "That is the picture's mean, not the word's.")
    expect(not np.allclose(got, raw - general.mean()), "One mean for each word (M,), not one for all of them.")
    standard = (raw - general.mean(0)) / general.std(0)
    expect(not np.allclose(got, standard), "That is divided by the spread too; here the difference alone is wanted.")
    expect(np.allclose(got, raw - general.mean(0)), "Cosines (N, M) minus each word's mean cosine (M,).")


@exercise("text neighbours")
def check_text_neighbours(fn: Callable) -> None:
    """fn(text_embeds (M, D), logit_scale) -> (M, M): each row a softmax over the other texts, 0 for itself."""
    embeds = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [-0.6, 0.8]])
    got = as_array(answer(fn, embeds.copy(), 4.0), (4, 4))
    scores = 4 * embeds @ embeds.T
    others = np.exp(scores) * (1 - np.eye(4))
    whole = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    zeroed = np.where(np.eye(4) > 0, 1, np.exp(scores))  # exp(0) where exp(-inf) is meant
    right = others / others.sum(1, keepdims=True)
    expect(not np.allclose(got, whole), "Each text is its own nearest neighbour: exclude the diagonal.")
    expect(
        not np.allclose(got, zeroed / zeroed.sum(1, keepdims=True)),
        "A score of 0 on the diagonal still gets a share, exp(0) = 1: put -inf there.",
    )
    expect(
        not np.allclose(got, whole * (1 - np.eye(4))),
        "Exclude before the softmax, not after it: each row should add up to 1.",
    )
    expect(not np.allclose(got, others / others.sum(0)), "The softmax runs along the rows, axis 1.")
    unscaled = np.exp(scores / 4) * (1 - np.eye(4))
    expect(not np.allclose(got, unscaled / unscaled.sum(1, keepdims=True)), "The cosines wait for their `logit_scale`.")
    expect(np.allclose(got, right), "softmax(logit_scale * embeds @ embeds.T), with -inf on its diagonal.")
    huge = np.asarray(fn(embeds, 2000.0), dtype=float)
    expect(bool(np.isfinite(huge).all()), "exp overflows for a large scale: take each row's maximum off first.")


@exercise("k-occurrence")
def check_k_occurrence(fn: Callable) -> None:
    """fn(scores (Q, N), k) -> (N,): for how many queries an item is among the k best."""
    scores = np.array([[0.9, 0.8, 0.1, 0.0], [0.3, 0.7, 0.2, 0.1], [0.2, 0.9, 0.5, 0.3]])  # 3 queries, 4 items
    right = np.array([2, 3, 1, 0])
    got = as_array(answer(fn, scores.copy(), 2), (4,))
    expect(not np.array_equal(got, [1, 0, 2, 3]), "Those are the worst k: the larger a score, the better.")
    expect(not np.array_equal(got, [2, 2, 2, 2]), "The k best items of each query, not k queries of each item.")
    expect(not np.array_equal(got, [1, 2, 0, 0]), "That counts the first place alone; the k best count.")
    expect(not np.allclose(got, right / 3), "Counts, please, not shares.")
    expect(got.sum() == 6, f"3 queries name 2 items each, so the counts add up to 6, not {got.sum():g}.")
    expect(np.array_equal(got, right), "Item 1 is among the two best of all three queries, item 3 of none.")
    expect(np.array_equal(np.asarray(fn(scores, 1)), [1, 2, 0, 0]), "For k = 1 the counts are 1, 2, 0, 0.")


@exercise("diverse words")
def check_diverse(fn: Callable) -> None:
    """fn(scores (M,), embeds (M, D), k, near) -> indices of the k best, none with a cosine >= near to one before."""
    angles = np.deg2rad([0, 10, 60, 68, 5, 130])
    embeds = np.stack([np.cos(angles), np.sin(angles)], axis=1)  # (6, 2)
    scores = np.array([0.9, 0.8, 0.7, 0.4, 0.6, 0.5])
    got = [int(index) for index in answer(fn, scores.copy(), embeds.copy(), 3, 0.9)]
    expect(got[:1] == [0], "Begin with the best word: index 0 here.")
    expect(got != [0, 1, 2], "Those are the k best; word 1 is a near-synonym of word 0 and should be skipped.")
    expect(got != [0, 2, 4], "Compare with all the chosen words: word 4 is far from word 2, but near to word 0.")
    expect(len(set(got)) == len(got), "A word was chosen twice.")
    expect(got == [0, 2, 5], "Walk down the ranking; keep a word if its cosine to each chosen one is below `near`.")
    few = [int(index) for index in fn(scores, embeds, 6, 0.9)]
    expect(few == [0, 2, 5], "With k = 6 only three words are far enough apart: return those three.")
    expect(len(fn(scores, embeds, 6, 1.1)) == 6, "No cosine reaches 1.1: with that threshold all six are returned.")
    twins = np.array([[1.0, 0.0], [0.0, 1.0]])
    expect(len(fn(scores[:2], twins, 2, 0.0)) == 1, "A cosine of exactly `near` is too near already: keep those below.")
