"""The whole way: photographs -> keywords -> candidate quatrains -> the one that fits each picture best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.numpy import load_file

from helpers.chinese_clip import ImageTextEncoder
from helpers.config import ASSETS, Config, load_config, pick_device, pick_dtype
from helpers.data import load_image
from helpers.keywords import (
    LineIndex,
    ScoredWord,
    WordStatistics,
    load_lines,
    load_vocabulary,
    pick_diverse,
    ranked,
    standard_scores,
    standardised,
    word_statistics,
)
from helpers.options import DEFAULT, PoemOptions
from helpers.pipeline.candidates import FUNCTIONS, suits
from helpers.pipeline.choice import best_first, broken_rules, image_text_fit, total_scores
from helpers.pipeline.plan import shipped_plan
from helpers.poems import Poem, PoemWriter
from helpers.verse import check_poem

REFERENCE = "reference_image_embeds.safetensors"  # beside the weights of a model that brings its own


@dataclass(frozen=True)
class PicturePoem:
    """What the pipeline makes of one picture; `candidates` are all poems written for it, best first."""

    keywords: list[ScoredWord]
    plan: list[str]  # the keywords in the order of the lines that they are meant for
    candidates: list[Poem]

    @property
    def poem(self) -> Poem:
        return self.candidates[0]

    @property
    def title(self) -> str:
        return f"题{self.keywords[0].word}图"

    @property
    def checks(self) -> dict:
        return check_poem(self.poem.lines)


class ImageToPoem:
    """Photo -> keywords -> quatrain. Models load when they are first needed; every step is one batch."""

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or load_config()
        self._openings: dict[str, LineIndex] = {}  # by form
        if Path(self.config.poem_model).is_absolute() and not Path(self.config.poem_model).is_dir():
            raise ValueError(f"there is no poem model at {self.config.poem_model}: fine-tune one first (notebook 03)")

    @cached_property
    def encoder(self) -> ImageTextEncoder:
        name, offline = self.config.image_text_model, self.config.offline
        return ImageTextEncoder.from_pretrained(name, self.config.device, local_files_only=offline)

    @cached_property
    def writer(self) -> PoemWriter:
        device = pick_device(self.config.device)
        dtype = pick_dtype(device)
        # A T5 overflows in float16 (its feed-forward sums pass 65,504): float32 where there is no bfloat16.
        dtype = torch.float32 if dtype == torch.float16 else dtype
        return PoemWriter.from_pretrained(self.config.poem_model, device, dtype, self.config.offline)

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

    def openings(self, form: str) -> LineIndex:
        """The classical lines that a poem of this form can begin with; encoded once, kept in the cache folder."""
        if form not in self._openings:
            lines = load_lines()
            unknown = self.writer.unknown_characters("".join(line.text for line in lines))
            suitable = [line for line in lines if suits(line, form, unknown)]
            self._openings[form] = LineIndex.build_from(self.encoder, suitable)
        return self._openings[form]

    def keywords(self, image_embeds: np.ndarray, k: int) -> list[list[ScoredWord]]:
        """For each picture (N, D) its k most telling words of keyword.txt, best first, no near-synonyms."""
        scores = standardised(image_embeds @ self.vocabulary_embeds.T, self.vocabulary_statistics)  # (N, M)
        chosen = [pick_diverse(row, self.vocabulary, self.vocabulary_embeds, k) for row in scores]
        return [
            [ScoredWord(self.vocabulary[i], float(row[i])) for i in indices]
            for row, indices in zip(scores, chosen, strict=True)
        ]

    def rank(self, image_embeds: np.ndarray, words: Sequence[str]) -> list[list[ScoredWord]]:
        """For each picture (N, D) all of `words` with their scores, best first."""
        text_embeds = self.encoder.encode_texts(words, cache=len(words) > self.encoder.batch_size)  # not for a few
        scores = standard_scores(image_embeds, text_embeds, self.reference_embeds)
        return [[ScoredWord(*pair) for pair in ranked(words, row)] for row in scores]

    def total_scores(
        self, image_embeds: np.ndarray, poems: Sequence[Sequence[str]], log_likelihoods: np.ndarray
    ) -> np.ndarray:
        """How good each of n poems, finished or not, is for its picture: (N, D), N·n poems, (N·n,) -> (N, n)."""
        shape = len(image_embeds), -1
        text_embeds = self.encoder.encode_texts(["，".join(lines) for lines in poems])  # (N·n, D)
        text_embeds = text_embeds.reshape(*shape, image_embeds.shape[1])
        fit = image_text_fit(image_embeds, text_embeds, self.reference_embeds)
        return total_scores(fit, log_likelihoods.reshape(shape))

    def __call__(
        self,
        images: Sequence[Image.Image],
        *,
        keywords: Sequence[str] | None = None,
        options: PoemOptions = DEFAULT,
    ) -> list[PicturePoem]:
        """A quatrain for each picture, from its own keywords or from the given ones (for all pictures).

        Raises ValueError for no or an empty keyword, or characters the poem model cannot spell.
        """
        image_embeds = self.encoder.encode_images(images)  # (N, D)
        if keywords is None:
            words = self.keywords(image_embeds, self.config.keywords)
        else:
            self._check_spelling(keywords)
            words = self.rank(image_embeds, keywords) if keywords else [[] for _ in images]
        return self.poems(image_embeds, words, options)

    def poems(
        self, image_embeds: np.ndarray, words: Sequence[Sequence[ScoredWord]], options: PoemOptions
    ) -> list[PicturePoem]:
        """The second half of the way: from the words of each picture to its candidates, best first."""
        plans = self.plans([[word for word, _ in row] for row in words])
        candidates = FUNCTIONS[options.way](self, image_embeds, plans, options)
        ordered = self.best_first(image_embeds, candidates, options)
        return [PicturePoem(*row) for row in zip(words, plans, ordered, strict=True)]

    def plans(self, words: Sequence[Sequence[str]]) -> list[list[str]]:
        """The words of each picture in the order of the lines that they are meant for."""
        return [shipped_plan().order(row) for row in words]

    def best_first(
        self, image_embeds: np.ndarray, candidates: Sequence[Sequence[Poem]], options: PoemOptions
    ) -> list[list[Poem]]:
        """Each picture's candidates: fewer broken rules first, then image-text fit plus the T5's likelihood."""
        poems = [poem for row in candidates for poem in row]
        log_likelihoods = np.array([poem.log_likelihood for poem in poems])
        totals = self.total_scores(image_embeds, [poem.lines for poem in poems], log_likelihoods)  # (N, n)
        broken = np.array([broken_rules(poem.lines, options) for poem in poems]).reshape(totals.shape)
        orders = best_first(totals, broken)
        return [[row[i] for i in order] for row, order in zip(candidates, orders, strict=True)]

    def _check_spelling(self, keywords: Sequence[str]) -> None:
        if not all(word.strip() for word in keywords):
            raise ValueError("a keyword is empty")
        unknown = self.writer.unknown_characters("".join(keywords))
        if unknown:
            raise ValueError(f"the poem model does not know the character {'、'.join(sorted(unknown))}")
