"""keyword.txt, the imagery vocabulary, and which of its words a picture shows.

Ranking in three steps: cosine of image and word; calibration against reference pictures (a word that resembles every
picture says nothing about this one); diversity (of two near-synonyms only the better one stays).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from helpers.chinese_clip import ImageTextEncoder


def word_bias(text_embeds: np.ndarray, reference_embeds: np.ndarray) -> np.ndarray:
    """Each word's mean cosine over reference pictures: (M, D), (R, D) -> (M,); more leading axes are kept."""
    return text_embeds @ reference_embeds.mean(0)  # (M, D) @ (D,) -> (M,)


def calibrated_scores(image_embeds: np.ndarray, text_embeds: np.ndarray, reference_embeds: np.ndarray) -> np.ndarray:
    """Cosine of image and word minus the word's mean over the reference pictures: (N, D), (M, D) -> (N, M)."""
    return image_embeds @ text_embeds.T - word_bias(text_embeds, reference_embeds)  # (N, D) @ (D, M) -> (N, M)


class WordStatistics(NamedTuple):
    """Scores of M words on reference pictures: worth keeping, since they cost far more than one photo does."""

    mean: np.ndarray  # (M,)
    spread: np.ndarray  # (M,) standard deviation


def word_statistics(text_embeds: np.ndarray, reference_embeds: np.ndarray) -> WordStatistics:
    """Mean and spread of each word's cosines with the reference pictures: (M, D), (R, D) -> (M,) each."""
    spread = (reference_embeds @ text_embeds.T).std(0)  # (R, D) @ (D, M) -> (R, M) -> (M,)
    return WordStatistics(word_bias(text_embeds, reference_embeds), np.maximum(spread, 1e-6))


def standardised(cosines: np.ndarray, statistics: WordStatistics) -> np.ndarray:
    """Cosines (N, M) minus each word's mean, in units of its spread: (N, M).

    A cosine 0.05 above the mean is much for a word that hardly ever moves, and little for one that always does.
    """
    return (cosines - statistics.mean) / statistics.spread


def standard_scores(image_embeds: np.ndarray, text_embeds: np.ndarray, reference_embeds: np.ndarray) -> np.ndarray:
    """The same from embeddings: (N, D), (M, D), (R, D) -> (N, M)."""
    return standardised(image_embeds @ text_embeds.T, word_statistics(text_embeds, reference_embeds))


def pick_diverse(
    scores: np.ndarray, words: list[str], text_embeds: np.ndarray, k: int, *, near: float = 0.9
) -> list[int]:
    """Indices of the k best words, best first, without near-synonyms.

    `scores` (M,), `text_embeds` (M, D). Walks down the ranking and skips a word whose embedding has a cosine of
    `near` or more to one already chosen, or that shares a character with it (青山, 山色); fewer than k are returned
    only if fewer than k words are far enough apart.
    """
    chosen: list[int] = []
    for index in np.argsort(-scores):
        far = not chosen or (text_embeds[chosen] @ text_embeds[index]).max() < near
        if far and not any(set(words[index]) & set(words[other]) for other in chosen):
            chosen.append(int(index))
        if len(chosen) == k:
            break
    return chosen


def ranked(words: Iterable[str], scores: np.ndarray) -> list[tuple[str, float]]:
    """All words with their scores (M,), best first."""
    return sorted(zip(words, map(float, scores), strict=True), key=lambda pair: -pair[1])


class ScoredWord(NamedTuple):
    word: str
    score: float  # standard deviations above the word's mean cosine with the reference pictures


class WordRanker:
    """M words with their embeddings and statistics, to be ranked by pictures.

    `reference_embeds` (R, D): pictures of all kinds, as in `word_statistics`.
    """

    def __init__(self, encoder: ImageTextEncoder, words: Sequence[str], reference_embeds: np.ndarray) -> None:
        self.words = list(words)
        self.embeds = encoder.encode_texts(self.words, cache=len(self.words) > encoder.batch_size)  # (M, D)
        self.statistics = word_statistics(self.embeds, reference_embeds)

    def scores(self, image_embeds: np.ndarray) -> np.ndarray:
        """Pictures (N, D) -> standard scores (N, M)."""
        return standardised(image_embeds @ self.embeds.T, self.statistics)

    def rank(self, image_embeds: np.ndarray) -> list[list[ScoredWord]]:
        """For each picture (N, D) all words, best first."""
        return [[ScoredWord(*pair) for pair in ranked(self.words, row)] for row in self.scores(image_embeds)]

    def best(self, image_embeds: np.ndarray, k: int) -> list[list[ScoredWord]]:
        """For each picture (N, D) its k most telling words, best first, no near-synonyms."""
        return [
            [ScoredWord(self.words[i], float(row[i])) for i in pick_diverse(row, self.words, self.embeds, k)]
            for row in self.scores(image_embeds)
        ]
