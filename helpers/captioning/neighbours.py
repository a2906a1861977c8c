"""What a captioner must beat: captions taken over from the training pictures that look most alike.

Devlin et al. 2015 (arXiv:1505.04467): the nearest picture's caption, or of all captions of the nearest pictures the
one that most of them agree with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from helpers.keywords import unit
from helpers.metrics import characters, ngrams


class CaptionedEmbeds(NamedTuple):
    """Pictures as their encoder sees them, and what people said of each."""

    image_embeds: np.ndarray  # (N, D)
    captions: Sequence[Sequence[str]]  # (N,)


def nearest_pictures(train: CaptionedEmbeds, image_embeds: np.ndarray, k: int) -> np.ndarray:
    """The k training pictures with the largest cosine, the nearest first: (M, D) -> (M, k)."""
    cosines = unit(image_embeds) @ unit(train.image_embeds).T  # (M, D) @ (D, N) -> (M, N)
    nearest = np.argpartition(-cosines, k - 1, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(cosines, nearest, 1), axis=1, kind="stable")
    return np.take_along_axis(nearest, order, 1)


def nearest_captions(train: CaptionedEmbeds, image_embeds: np.ndarray) -> list[str]:
    """The first caption of the nearest training picture for each of M pictures (M, D)."""
    return [train.captions[row][0] for row in nearest_pictures(train, image_embeds, 1)[:, 0]]


def consensus_captions(train: CaptionedEmbeds, image_embeds: np.ndarray, k: int = 10) -> list[str]:
    """Of all captions of the k nearest training pictures the most central one, for each of M pictures (M, D)."""
    near = nearest_pictures(train, image_embeds, min(k, len(train.captions)))
    return [most_central([text for row in rows for text in train.captions[row]]) for rows in near]


def most_central(captions: Sequence[str]) -> str:
    """The caption whose n-grams the others share most: the largest mean cosine, over n-grams of one to four."""
    counts = [ngrams(characters(text)) for text in captions]
    total = np.zeros(len(captions))
    for each in zip(*counts, strict=True):  # the Counters of all captions for one n
        places = {gram: i for i, gram in enumerate({gram for grams in each for gram in grams})}
        vectors = np.zeros((len(captions), len(places)))
        for row, grams in enumerate(each):
            vectors[row, [places[gram] for gram in grams]] = list(grams.values())
        vectors = unit(vectors)
        total += vectors @ vectors.sum(0)
    return captions[int(total.argmax())]
