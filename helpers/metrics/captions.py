"""Figures for captions, over characters: CIDEr-D, BLEU, and how various and how original they are.

CIDEr-D asks whether a caption has the words that people used for *this* picture, and counts those little that they use
for any (Vedantam et al. 2015, arXiv:1411.5726, section 6). BLEU counts the shared n-grams of the whole set (Papineni et
al. 2002). Both give what pycocoevalcap gives. A Chinese caption is split into characters, its full stop taken off.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

MAX_N = 4  # n-grams of one to four characters
LENGTH_SPREAD = 6.0  # CIDEr-D's sigma: characters by which a caption may be longer or shorter
STOPS = "。．.！!？? "  # taken off the end


def characters(caption: str) -> str:
    """The caption as it is compared: without spaces and without its full stop."""
    return "".join(caption.split()).rstrip(STOPS)


def ngrams(text: str) -> list[Counter[str]]:
    """How often each n-gram occurs, one Counter for each n from 1 to `MAX_N`."""
    return [Counter(text[i : i + n] for i in range(len(text) - n + 1)) for n in range(1, MAX_N + 1)]


class _Weights:
    """TF-IDF of n-grams; a document is a picture with all of its captions."""

    def __init__(self, references: Sequence[Sequence[list[Counter[str]]]]) -> None:
        self.pictures = math.log(len(references))
        self.documents = Counter(
            gram for group in references for gram in {gram for counts in group for each in counts for gram in each}
        )

    def vectors(self, counts: list[Counter[str]]) -> list[dict[str, float]]:
        """The weight of each n-gram of a caption, for each n."""
        rare = [{gram: self.pictures - math.log(max(1, self.documents[gram])) for gram in each} for each in counts]
        return [
            {gram: count * weights[gram] for gram, count in each.items()}
            for each, weights in zip(counts, rare, strict=True)
        ]


class CiderD:
    """CIDEr-D against the references of N pictures, which are counted once however many captions are scored.

    Raises ValueError for a picture without references.
    """

    def __init__(self, references: Sequence[Sequence[str]]) -> None:
        if not references or not all(references):
            raise ValueError("at least one reference for each picture is needed")
        self.counted = [[ngrams(characters(text)) for text in group] for group in references]
        self.weights = _Weights(self.counted)

    def scores(self, captions: Sequence[str], pictures: Sequence[int]) -> np.ndarray:
        """B captions and the picture that each was written for -> (B,), 0 to 10."""
        groups = {picture: self._vectors(self.counted[picture]) for picture in set(pictures)}
        scores = []
        for caption, picture in zip(captions, pictures, strict=True):
            ((own, length),) = self._vectors([ngrams(characters(caption))])
            alike = [_similarity(own, length, *other) for other in groups[picture]]
            scores.append(10 * sum(alike) / len(alike))
        return np.array(scores)

    def _vectors(self, group: Sequence[list[Counter[str]]]) -> list[tuple[list[dict[str, float]], int]]:
        """The weights of each text's n-grams, and how many pairs of characters it has."""
        return [(self.weights.vectors(counts), counts[1].total()) for counts in group]


def cider_d(captions: Sequence[str], references: Sequence[Sequence[str]]) -> np.ndarray:
    """One caption and some references for each of N pictures -> scores (N,), 0 to 10; tables print 100 times the mean.

    The n-grams' rarity comes from the references of all N pictures: a part of a set has another score than the whole.
    Raises ValueError for a picture without references.
    """
    _check(captions, references)
    return CiderD(references).scores(captions, range(len(captions)))


def _similarity(own: list[dict], length: int, other: list[dict], other_length: int) -> float:
    """Mean cosine over n, each n-gram counted at most as often as the reference has it, less for another length."""
    cosines = []
    for mine, theirs in zip(own, other, strict=True):
        shared = sum(min(weight, theirs[gram]) * theirs[gram] for gram, weight in mine.items() if gram in theirs)
        norms = math.hypot(*mine.values()) * math.hypot(*theirs.values())
        cosines.append(shared / norms if norms else shared)
    return sum(cosines) / MAX_N * math.exp(-((length - other_length) ** 2) / (2 * LENGTH_SPREAD**2))


def bleu(captions: Sequence[str], references: Sequence[Sequence[str]]) -> list[float]:
    """BLEU-1 to BLEU-4 of a whole set, 0 to 1: N captions and N groups of references.

    Shared n-grams of all captions over all of their n-grams, their geometric mean, and a penalty for brevity.
    """
    _check(captions, references)
    shared, total = [0] * MAX_N, [0] * MAX_N
    length = nearest = 0
    for caption, group in zip(captions, references, strict=True):
        text, others = characters(caption), [characters(other) for other in group]
        length += len(text)
        nearest += min((abs(len(other) - len(text)), len(other)) for other in others)[1]
        most = [max_counts(each) for each in zip(*map(ngrams, others), strict=True)]
        for n, (mine, theirs) in enumerate(zip(ngrams(text), most, strict=True)):
            shared[n] += (mine & theirs).total()
            total[n] += mine.total()
    penalty = min(1.0, math.exp(1 - nearest / length)) if length else 0.0
    precisions = [s / t if t else 0.0 for s, t in zip(shared, total, strict=True)]
    return [penalty * math.prod(precisions[:n]) ** (1 / n) for n in range(1, MAX_N + 1)]


def max_counts(counts: Sequence[Counter[str]]) -> Counter[str]:
    """The most that any of the Counters has of each."""
    most: Counter[str] = Counter()
    for each in counts:
        most |= each
    return most


def originality(captions: Sequence[str], training: Sequence[str]) -> dict[str, float]:
    """How various a set's captions are: different ones, characters a caption, and the share found in `training`."""
    texts, known = [characters(caption) for caption in captions], {characters(text) for text in training}
    return {
        "distinct": len(set(texts)),
        "length": sum(map(len, texts)) / len(texts),
        "copied": sum(text in known for text in texts) / len(texts),
    }


def paired_bootstrap(ours: np.ndarray, theirs: np.ndarray, draws: int = 10_000, seed: int = 0) -> float:
    """The share of draws in which our mean is not above theirs (Koehn 2004): scores of the same pictures, (N,) both."""
    difference = ours - theirs
    rows = np.random.default_rng(seed).integers(len(difference), size=(draws, len(difference)))
    return float((difference[rows].mean(1) <= 0).mean())


def _check(captions: Sequence[str], references: Sequence[Sequence[str]]) -> None:
    if not captions or len(captions) != len(references) or not all(references):
        raise ValueError("one caption and at least one reference for each picture are needed")
