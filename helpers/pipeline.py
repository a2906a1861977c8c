"""The whole way: photographs -> keywords -> candidate quatrains -> the one that fits each picture best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from safetensors.numpy import load_file

from helpers.chinese_clip import ImageTextEncoder
from helpers.config import ASSETS, Config, load_config, pick_device
from helpers.images import load_image
from helpers.keywords import (
    WordStatistics,
    load_vocabulary,
    pick_diverse,
    ranked,
    standard_scores,
    standardised,
    word_bias,
    word_statistics,
)
from helpers.poem_t5 import Poem, PoemWriter
from helpers.verse import check

REFERENCE = "reference_image_embeds.safetensors"  # beside the weights of a model that brings its own
LIKELIHOOD_WEIGHT = 0.5  # of the T5's opinion against the picture's, both standardised over the candidates


class ScoredWord(NamedTuple):
    word: str
    score: float  # standard deviations above the word's mean cosine with the reference pictures


@dataclass(frozen=True)
class PicturePoem:
    """What the pipeline makes of one picture; `candidates` are all poems written for it, best first."""

    keywords: list[ScoredWord]
    candidates: list[Poem]

    @property
    def poem(self) -> Poem:
        return self.candidates[0]

    @property
    def checks(self) -> dict:
        return check(self.poem.lines)


class ImageToPoem:
    """Photo -> keywords -> quatrain. Models load when they are first needed; every step is one batch."""

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or load_config()
        if Path(self.config.poem_model).is_absolute() and not Path(self.config.poem_model).is_dir():
            raise ValueError(f"there is no poem model at {self.config.poem_model}: fine-tune one first (notebook 03)")

    @cached_property
    def encoder(self) -> ImageTextEncoder:
        return ImageTextEncoder.from_pretrained(self.config.image_text_model, self.config.device)

    @cached_property
    def writer(self) -> PoemWriter:
        return PoemWriter.from_pretrained(self.config.poem_model, pick_device(self.config.device))

    @cached_property
    def reference_embeds(self) -> np.ndarray:
        """Pictures of all kinds (R, D): what a word scores on these says nothing about the picture at hand.

        Our own model brings the embeddings of its training wallpapers and of as many Flickr photos; for any other
        model the sample photos have to do.
        """
        stored = Path(self.config.image_text_model) / REFERENCE
        if stored.is_file():
            return load_file(stored)["image_embeds"].astype(np.float32)
        return self.encoder.encode_images([load_image(p) for p in sorted((ASSETS / "photos").glob("*.jpg"))])

    @cached_property
    def vocabulary(self) -> list[str]:
        """The words of keyword.txt that the poem model can spell."""
        words = [keyword.word for keyword in load_vocabulary()]
        unknown = self.writer.unknown_characters("".join(words))
        return [word for word in words if not unknown & set(word)]

    @cached_property
    def vocabulary_embeds(self) -> np.ndarray:
        return self.encoder.encode_texts(self.vocabulary, cache=True)  # (M, D)

    @cached_property
    def vocabulary_statistics(self) -> WordStatistics:
        return word_statistics(self.vocabulary_embeds, self.reference_embeds)

    def keywords(self, images: Sequence[Image.Image], k: int = 5) -> list[list[ScoredWord]]:
        """For each picture its k most telling words of keyword.txt, best first, no near-synonyms."""
        return self._keywords(self.encoder.encode_images(images), k)

    def _keywords(self, image_embeds: np.ndarray, k: int) -> list[list[ScoredWord]]:
        scores = standardised(image_embeds @ self.vocabulary_embeds.T, self.vocabulary_statistics)  # (N, M)
        chosen = [pick_diverse(row, self.vocabulary, self.vocabulary_embeds, k) for row in scores]
        return [
            [ScoredWord(self.vocabulary[i], float(row[i])) for i in indices]
            for row, indices in zip(scores, chosen, strict=True)
        ]

    def rank(self, images: Sequence[Image.Image], words: Sequence[str]) -> list[list[ScoredWord]]:
        """For each picture all of `words` with their scores, best first."""
        return self._rank(self.encoder.encode_images(images), words)

    def _rank(self, image_embeds: np.ndarray, words: Sequence[str]) -> list[list[ScoredWord]]:
        text_embeds = self.encoder.encode_texts(words, cache=True)
        scores = standard_scores(image_embeds, text_embeds, self.reference_embeds)
        return [[ScoredWord(*pair) for pair in ranked(words, row)] for row in scores]

    def __call__(
        self,
        images: Sequence[Image.Image],
        *,
        keywords: Sequence[str] | None = None,
        form: str | None = None,
        n: int | None = None,
        seed: int | None = None,
    ) -> list[PicturePoem]:
        """A quatrain for each picture, from its own keywords or from the given ones (for all pictures).

        Raises ValueError for an unknown form, n < 1, an empty keyword list or characters the poem model cannot spell.
        """
        image_embeds = self.encoder.encode_images(images)  # (N, D)
        if keywords is None:
            words = self._keywords(image_embeds, self.config.keywords)
        else:
            self._check_spelling(keywords)
            words = self._rank(image_embeds, keywords) if keywords else [[] for _ in images]
        candidates = self.writer.write_batch(
            [[word for word, _ in row] for row in words],
            self.config.form if form is None else form,
            self.config.seed if seed is None else seed,
            self.config.candidates if n is None else n,
        )
        return [
            PicturePoem(row, ordered)
            for row, ordered in zip(words, self._best_first(image_embeds, candidates), strict=True)
        ]

    def _check_spelling(self, keywords: Sequence[str]) -> None:
        unknown = self.writer.unknown_characters("".join(keywords))
        if unknown:
            raise ValueError(f"the poem model does not know the character {'、'.join(sorted(unknown))}")

    def _best_first(self, image_embeds: np.ndarray, candidates: list[list[Poem]]) -> list[list[Poem]]:
        """Each picture's candidates by image-text fit plus the T5's likelihood, standardised over the candidates."""
        texts = ["，".join(poem.lines) for poems in candidates for poem in poems]
        text_embeds = self.encoder.encode_texts(texts).reshape(len(candidates), -1, image_embeds.shape[1])  # (N, n, D)
        general = word_bias(text_embeds, self.reference_embeds)  # (N, n): some poems resemble every picture
        fit = np.einsum("ind,id->in", text_embeds, image_embeds) - general  # (N, n, D) . (N, D) -> (N, n)
        likelihood = np.array([[poem.log_likelihood for poem in poems] for poems in candidates])  # (N, n)
        totals = standardise(fit) + LIKELIHOOD_WEIGHT * standardise(likelihood)
        return [
            [poems[i] for i in np.argsort(-row, kind="stable")] for poems, row in zip(candidates, totals, strict=True)
        ]


def standardise(scores: np.ndarray) -> np.ndarray:
    """Each row minus its mean, over its standard deviation: (N, n) -> (N, n); a constant row becomes zeros."""
    spread = scores.std(1, keepdims=True)
    return (scores - scores.mean(1, keepdims=True)) / np.where(spread > 0, spread, 1)
