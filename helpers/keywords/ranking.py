"""keyword.txt, the imagery vocabulary, and which of its words a picture shows.

Ranking in four steps: cosine of image and word; calibration against reference pictures (a word that resembles every
picture says nothing about this one); how common the word is, which makes of a score a probability; diversity (of two
near-synonyms only the better one stays, and nothing that contradicts it).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from helpers.keywords.moments import clash, needs_night
from helpers.keywords.probability import CLAIMED, Calibration

MIN_PICTURES = 100  # over fewer, words that have nothing to do with each other rise and fall together


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


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows (M, D) scaled to length 1; a row of nothing stays one."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-8)


def without_mean(embeds: np.ndarray) -> np.ndarray:
    """Vectors (M, D) without the mean that all of them share, scaled to length 1: only so cosines tell words apart."""
    return unit(embeds - embeds.mean(0))


def pick_diverse(
    scores: np.ndarray,
    words: Sequence[str],
    text_embeds: np.ndarray,
    k: int,
    *,
    near: float = 0.7,
    least: float = -np.inf,
    taken: Sequence[int] = (),
) -> list[int]:
    """Indices of the k best words, best first, without near-synonyms and contradictions.

    `scores` (M,), `text_embeds` (M, D), best those of `without_mean`. Walks down the ranking to the score `least` and
    skips a word whose embedding has a cosine of `near` or more to one already chosen, that shares a character with it
    (青山, 山色), or that cannot be true beside it (朝霞, 晚霞). `taken`: indices chosen beforehand, among the k.
    """
    chosen = list(taken)
    for index in np.argsort(-scores, kind="stable"):
        if len(chosen) == k or scores[index] < least:
            break
        if goes_with(index, chosen, words, text_embeds, near):
            chosen.append(int(index))
    return chosen


def goes_with(
    index: int, chosen: Sequence[int], words: Sequence[str], text_embeds: np.ndarray, near: float = 0.7
) -> bool:
    """May the word stand beside those chosen? Arguments as of `pick_diverse`."""
    far = not chosen or (text_embeds[list(chosen)] @ text_embeds[index]).max() < near
    return bool(far) and not clash(words[index], (words[other] for other in chosen))


def twins(cosines: np.ndarray, priors: np.ndarray, alike: float = 0.95) -> np.ndarray:
    """For each of M words the index of the word that stands for it: (R, M) cosines with reference pictures -> (M,).

    Two words whose cosines rise and fall together over all pictures, with a correlation of `alike` or more, cannot be
    told apart by the model (雪山, 山雪); the commoner one, by `priors` (M,), stands for both. 雪山 and 雪岭 may both
    stand under 雪, but nobody stands under two.
    """
    deviations = unit((cosines - cosines.mean(0)).T)  # (M, R)
    near = deviations @ deviations.T >= alike  # (M, M)
    leaders = np.full(len(priors), -1)
    for index in np.argsort(-priors, kind="stable"):
        if leaders[index] < 0:
            leaders[near[index] & (leaders < 0)] = index
            leaders[index] = index
    return leaders


def ranked(words: Iterable[str], scores: np.ndarray) -> list[tuple[str, float]]:
    """All words with their scores (M,), best first."""
    return sorted(zip(words, map(float, scores), strict=True), key=lambda pair: -pair[1])


class ScoredWord(NamedTuple):
    """A word for a picture. What is not `seen` is an association with words that are, or was given by the reader."""

    word: str
    score: float  # standard deviations above the word's mean cosine with the reference pictures
    probability: float = 1.0  # that it is true of the picture
    seen: bool = True


class WordRanker:
    """M words with their embeddings and statistics, to be ranked by pictures.

    `embeds` (M, D); `log_prior` (M,), see `helpers.keywords.probability`; `reference_embeds` (R, D): pictures of all
    kinds, as in `word_statistics`.
    """

    def __init__(
        self,
        words: Sequence[str],
        embeds: np.ndarray,
        log_prior: np.ndarray,
        reference_embeds: np.ndarray,
        calibration: Calibration,
    ) -> None:
        self.words, self.embeds, self.log_prior = list(words), embeds, log_prior
        self.reference_embeds, self.calibration = reference_embeds, calibration
        self.statistics = word_statistics(embeds, reference_embeds)
        self.index = {word: i for i, word in enumerate(self.words)}

    def scores(self, image_embeds: np.ndarray) -> np.ndarray:
        """Pictures (N, D) -> standard scores (N, M)."""
        return standardised(image_embeds @ self.embeds.T, self.statistics)

    def probabilities(self, image_embeds: np.ndarray) -> np.ndarray:
        """Pictures (N, D) -> how likely each word is to be true of them (N, M)."""
        return self.calibration.probabilities(self.scores(image_embeds), self.log_prior)

    def rank(self, image_embeds: np.ndarray) -> list[list[ScoredWord]]:
        """For each picture (N, D) all words, the likeliest first."""
        rows = self.scores(image_embeds)
        orders = np.argsort(-self.calibration.total_scores(rows, self.log_prior), axis=1, kind="stable")
        chances = self.calibration.probabilities(rows, self.log_prior)
        return [
            [self.scored(i, row, chance) for i in order]
            for row, chance, order in zip(rows, chances, orders, strict=True)
        ]

    def best(self, image_embeds: np.ndarray, k: int) -> list[list[ScoredWord]]:
        """For each picture (N, D) up to k words that it shows, the likeliest first, no near-synonyms.

        Twins are one word, with the mean of their embeddings. Words less likely than `CLAIMED` are not named; a picture
        may have none.
        """
        ranker, night = self.without_twins, self.index.get("夜")
        night = None if night is None else ranker.index[self.words[self.leaders[night]]]
        directions, found = without_mean(ranker.embeds), []
        for row in ranker.scores(image_embeds):
            chances = self.calibration.probabilities(row, ranker.log_prior)
            by_day = night is not None and chances[night] < CLAIMED
            claims = np.where(ranker.nightly & by_day, 0, chances)
            chosen = pick_diverse(claims, ranker.words, directions, k, least=CLAIMED)
            # Rather a word that is near to another one (塔, 寺) than none that is true.
            chosen = pick_diverse(claims, ranker.words, directions, k, near=np.inf, least=CLAIMED, taken=chosen)
            found.append([ranker.scored(i, row, chances) for i in sorted(chosen, key=lambda i: -claims[i])])
        return found

    def twins_of(self, word: str) -> list[str]:
        """The words that the model cannot tell from this one, itself among them."""
        return [self.words[i] for i in np.flatnonzero(self.leaders == self.leaders[self.index[word]])]

    def scored(self, index: int, scores: np.ndarray, probabilities: np.ndarray) -> ScoredWord:
        """One of the words with its score and probability, from those of all (M,)."""
        chance = float(probabilities[index])
        return ScoredWord(self.words[index], float(scores[index]), chance, chance >= CLAIMED)

    @cached_property
    def nightly(self) -> np.ndarray:
        """Which words are of the night sky: (M,)."""
        return np.array([needs_night(word) for word in self.words])

    @cached_property
    def leaders(self) -> np.ndarray:
        """For each word the index of the one that stands for it and its twins: (M,)."""
        if len(self.reference_embeds) < MIN_PICTURES:
            return np.arange(len(self.words))
        return twins(self.reference_embeds @ self.embeds.T, self.log_prior)

    @cached_property
    def without_twins(self) -> WordRanker:
        """A ranker of the leaders alone, each in the middle of its twins."""
        leaders, groups = np.unique(self.leaders, return_inverse=True)
        sums = np.zeros((len(leaders), self.embeds.shape[1]), dtype=self.embeds.dtype)
        np.add.at(sums, groups, self.embeds)
        words = [self.words[i] for i in leaders]
        return WordRanker(words, unit(sums), self.log_prior[leaders], self.reference_embeds, self.calibration)
