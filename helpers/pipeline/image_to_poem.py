"""The whole way: photographs -> keywords -> candidate quatrains -> the one that fits each picture best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import load_file
from transformers.utils import logging

from helpers.captioning import GREEDY, Captioner, Interrogator, VersePrefix
from helpers.chinese_clip import ImageTextEncoder
from helpers.config import ASSETS, BATCH_SIZE, Config, load_config, pick_device, pick_dtype
from helpers.data import load_image
from helpers.keywords import (
    ANY_WORD,
    LABELLED,
    Calibration,
    Keyword,
    KeywordTable,
    LineIndex,
    ScoredWord,
    WordRanker,
    calibrated_queries,
    load_lines,
    load_phrases,
    load_vocabulary,
    log_prior,
    shipped_calibration,
    table_of,
)
from helpers.options import DEFAULT, FORMS, WAYS, PoemOptions
from helpers.pipeline.associations import with_associations
from helpers.pipeline.candidates import can_open, from_keywords, from_lines, guided, in_sight
from helpers.pipeline.choice import Choice
from helpers.pipeline.plan import shipped_plan
from helpers.poems import Poem, PoemReader, PoemWriter
from helpers.storage import array_digest, cached, digest, load_pretrained
from helpers.verse import check_poem, reported

SURE = 2  # words of keyword.txt that an interrogated picture's poem begins with
LEFT_OUT = "the model left it out"
REFERENCE = "reference_image_embeds.safetensors"  # beside the weights of a model that brings its own


@dataclass(frozen=True)
class PicturePoem:
    """A picture's keywords and poems; `candidates` are all that were written for it, best first."""

    keywords: list[ScoredWord]
    plan: list[str]  # the keywords in the order of the lines that they are meant for
    candidates: list[Poem]
    caption: str = ""  # that the keywords come from, if they do

    @property
    def poem(self) -> Poem:
        return self.candidates[0]

    @property
    def title(self) -> str:
        word = next((scored.word for scored in self.keywords if scored.seen), self.keywords[0].word)
        return f"题{word}图"

    @property
    def checks(self) -> dict:
        """The verdict on the poem, by the book that did not steer its writing."""
        return check_poem(self.poem.lines, self.plan[:4], reported())

    @property
    def missing(self) -> dict[str, str]:
        """The words that were to stand in the poem and do not, each with the reason."""
        words = (word for word in self.plan[:4] if not any(word in line for line in self.poem.lines))
        return {word: self.poem.refused.get(word, LEFT_OUT) for word in words}


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
        return PoemWriter.from_pretrained(self.config.poem_model, device, pick_dtype(device), self.config.offline)

    @cached_property
    def reference_embeds(self) -> np.ndarray:
        """Pictures of all kinds (R, D): what a word scores on these says nothing about the picture at hand."""
        return reference_pictures(self.encoder, self.config.image_text_model)

    @cached_property
    def table(self) -> KeywordTable | None:
        """What labelled photographs say of the words of keyword.txt, if the model has such a table."""
        return table_of(self.config.image_text_model)

    @cached_property
    def calibration(self) -> Calibration:
        return self.table.calibration if self.table else shipped_calibration()

    @cached_property
    def ranker(self) -> WordRanker:
        """The words of keyword.txt that a picture can show and the poem model can spell."""
        return self.ranker_of(self.visible_words)

    @cached_property
    def caption_ranker(self) -> WordRanker:
        """The same words, ranked by a caption in the picture's place: beside captions of the reference pictures."""
        pictures = array_digest(self.reference_embeds)
        key = digest([self.encoder.fingerprint, self.captioner.fingerprint, pictures])

        def compute() -> np.ndarray:
            return self.word_embeds(self.captioner.caption_embeds(self.reference_embeds, GREEDY))

        return self.ranker_of(self.visible_words, cached(f"captions_{key}", compute))

    @cached_property
    def visible_words(self) -> list[str]:
        return [keyword.word for keyword in self.vocabulary if keyword.photos is not None]

    @cached_property
    def vocabulary(self) -> list[Keyword]:
        """The rows of keyword.txt that the poem model can spell."""
        unknown = self.writer.unknown_characters("".join(keyword.word for keyword in load_vocabulary()))
        return [keyword for keyword in load_vocabulary() if not unknown & set(keyword.word)]

    def ranker_of(self, words: Sequence[str], reference_embeds: np.ndarray | None = None) -> WordRanker:
        """A ranker of any words; those of keyword.txt keep what photographs say of them.

        `reference_embeds` (R, D): of what is not pictures, if that is what ranks.
        """
        if reference_embeds is None:
            reference_embeds = self.reference_embeds
        photos = {keyword.word: keyword.photos or 0 for keyword in load_vocabulary()}
        counts = np.array([photos.get(word, ANY_WORD) for word in words], dtype=np.float32)
        prior = log_prior(counts, LABELLED)
        return WordRanker(words, self.word_embeds(words), prior, reference_embeds, self.calibration)

    def word_embeds(self, words: Sequence[str]) -> np.ndarray:
        """The table's vectors for the words that it has, the text tower's for all others: (M, D)."""

        def encode(texts: Sequence[str]) -> np.ndarray:
            return self.encoder.encode_texts(texts, cache=len(texts) > BATCH_SIZE)

        return self.table.lookup(words, encode) if self.table else encode(words)

    @cached_property
    def interrogator(self) -> Interrogator:
        """Asks pictures about the phrases of all tables; their embeddings are kept in the cache folder."""
        phrases = load_phrases()
        return Interrogator(self.encoder, phrases, self.ranker_of([phrase.text for phrase in phrases]))

    @cached_property
    def unspelled(self) -> set[str]:
        """The characters of the phrases that the poem model cannot spell."""
        return self.writer.unknown_characters("".join(self.interrogator.ranker.words))

    @property
    def can_caption(self) -> bool:
        """Is the profile's captioner there, and whole? That of `full` the reader trains."""
        return not Path(self.config.captioner).is_absolute() or (Path(self.config.captioner) / "config.json").is_file()

    @cached_property
    def captioner(self) -> Captioner:
        """Raises ValueError if the profile's captioner has not been trained yet."""
        return Captioner.from_pretrained(self.config.captioner, self.encoder, self.config.offline)

    @property
    def ways(self) -> list[str]:
        """The ways to write that there are models for."""
        there = {"caption": self.can_caption, "picture": (Path(self.config.verse_prefix) / "config.json").is_file()}
        return [way for way in WAYS if there.get(way, True)]

    @cached_property
    def verse_prefix(self) -> VersePrefix:
        """Raises ValueError if the profile has none, or one that was made for other models."""
        name = self.config.verse_prefix
        if "picture" not in self.ways:
            raise ValueError(f"there is no {name}: the way picture is the profile mini's (recipes/captioner makes one)")
        prefix = load_pretrained(VersePrefix, name).to(self.writer.model.device).eval()
        widths = prefix.config.image_dim, prefix.config.width
        if widths != (self.encoder.dim, self.writer.model.config.d_model):
            raise ValueError(f"{name}: leads from {widths[0]} numbers to {widths[1]}, other than these models have")
        return prefix

    @cached_property
    def choice(self) -> Choice:
        return Choice(self.encoder, self.reference_embeds, self.reader)

    @cached_property
    def reader(self) -> PoemReader:
        return PoemReader.from_pretrained(self.config.poem_reader, pick_device(self.config.device), self.config.offline)

    def openings(self, form: str) -> LineIndex:
        """The classical lines that a poem of this form can begin with; encoded once, kept in the cache folder."""
        if form not in self._openings:
            lines = load_lines()
            unknown = self.writer.unknown_characters("".join(line.text for line in lines))
            suitable = [line for line in lines if can_open(line, FORMS[form], unknown)]
            self._openings[form] = LineIndex.build_from(self.encoder, suitable)
        return self._openings[form]

    def keywords(self, image_embeds: np.ndarray, k: int) -> list[list[ScoredWord]]:
        """For each picture (N, D) k words of keyword.txt: what it shows, the likeliest first, then associations."""
        return self._associated(self.ranker, image_embeds, k)

    def captions(self, image_embeds: np.ndarray) -> list[str]:
        """A sentence for each picture (N, D)."""
        return self.captioner.caption_embeds(image_embeds)

    def caption_keywords(self, image_embeds: np.ndarray, captions: Sequence[str], k: int) -> list[list[ScoredWord]]:
        """For each picture (N, D) k words that its caption leads to; how true they are, the picture itself says.

        But for words that no picture can show: they are associations.
        """
        rows = self._associated(self.caption_ranker, self.word_embeds(captions), k)
        scores = self.ranker.scores(image_embeds)
        chances = self.ranker.calibration.probabilities(scores, self.ranker.log_prior)
        index = self.ranker.index
        return [
            [self.ranker.scored(index[w.word], *own) if w.word in index else w for w in row]
            for row, *own in zip(rows, scores, chances, strict=True)
        ]

    def interrogated_keywords(self, image_embeds: np.ndarray, k: int) -> list[list[ScoredWord]]:
        """For each picture (N, D) k words: the likeliest of keyword.txt, then what stands out in any table."""
        sure = [[scored.word for scored in row] for row in self.ranker.best(image_embeds, SURE)]
        return self.interrogator.words_for_verse(image_embeds, sure, k, self.unspelled)

    def _associated(self, ranker: WordRanker, embeds: np.ndarray, k: int) -> list[list[ScoredWord]]:
        pairs = zip(ranker.best(embeds, k), ranker.scores(embeds), strict=True)
        unseen = [keyword.word for keyword in self.vocabulary if keyword.photos is None]
        return [with_associations(ranker, seen, scores, unseen, k) for seen, scores in pairs]

    def words_of(self, image_embeds: np.ndarray, way: str) -> tuple[list[list[ScoredWord]], list[str]]:
        """The words of each picture (N, D) in the way of the options, and the captions that they come from or ""."""
        k, captions = self.config.keywords, [""] * len(image_embeds)
        if way == "interrogate":
            return self.interrogated_keywords(image_embeds, k), captions
        if way == "caption":
            captions = self.captions(image_embeds)
            return self.caption_keywords(image_embeds, captions, k), captions
        return self.keywords(image_embeds, k), captions

    def rank(self, image_embeds: np.ndarray, words: Sequence[str]) -> list[list[ScoredWord]]:
        """For each picture (N, D) all of `words` with their scores, the likeliest first."""
        return self.ranker_of(words).rank(image_embeds)

    def __call__(
        self,
        images: Sequence[Image.Image],
        *,
        keywords: Sequence[str] | None = None,
        options: PoemOptions = DEFAULT,
    ) -> list[PicturePoem]:
        """A quatrain for each picture, from its own keywords or from the given ones (for all pictures).

        Raises ValueError for no or an empty keyword, characters the poem model cannot spell, or keywords where the
        caption is to give them.
        """
        options.check_keywords(keywords)
        if keywords is not None:
            self._check_spelling(keywords)
        image_embeds = self.encoder.encode_images(images)  # (N, D)
        if keywords is None:
            words, captions = self.words_of(image_embeds, options.way)
            results = self.poems(image_embeds, words, options)
            return [replace(result, caption=caption) for result, caption in zip(results, captions, strict=True)]
        words = self.rank(image_embeds, keywords) if keywords else [[] for _ in images]
        return self.poems(image_embeds, words, options)

    def poems(
        self, image_embeds: np.ndarray, words: Sequence[Sequence[ScoredWord]], options: PoemOptions
    ) -> list[PicturePoem]:
        """The second half of the way: from the words of each picture (N, D) to its n candidates, best first."""
        plans = [shipped_plan().order([scored.word for scored in row]) for row in words]
        candidates = self.candidates(image_embeds, plans, options)
        ordered = self.choice.best_first(image_embeds, candidates, options)
        return [PicturePoem(*row) for row in zip(words, plans, ordered, strict=True)]

    def candidates(
        self, image_embeds: np.ndarray, plans: Sequence[Sequence[str]], options: PoemOptions
    ) -> list[list[Poem]]:
        """n poems for each picture (N, D) and its plan, in the way that the options name, as they were written."""
        if options.way == "lines":
            queries = calibrated_queries(image_embeds, self.reference_embeds)
            return from_lines(self.writer, self.openings(options.form), queries, plans, options)
        if options.way == "picture":
            return in_sight(self.writer, self.verse_prefix, image_embeds, plans, options)
        if options.way == "guided":
            return guided(self.writer, self.choice.total_scores, image_embeds, plans, options)
        return from_keywords(self.writer, plans, options)

    def _check_spelling(self, keywords: Sequence[str]) -> None:
        if not all(word.strip() for word in keywords):
            raise ValueError("a keyword is empty")
        unknown = self.writer.unknown_characters("".join(keywords))
        if unknown:
            raise ValueError(f"the poem model does not know the character {'、'.join(sorted(unknown))}")


def reference_pictures(encoder: ImageTextEncoder, name: str | Path) -> np.ndarray:
    """Pictures of all kinds as the model of this name, which is `encoder`, sees them: (R, D).

    Our own model brings the embeddings of its training wallpapers and of as many Flickr photos; for any other model
    the sample photos have to do.
    """
    stored = Path(name) / REFERENCE
    if stored.is_file():
        return load_file(stored)["image_embeds"].astype(np.float32)
    return encoder.encode_images([load_image(path) for path in sorted((ASSETS / "photos").glob("*.jpg"))])


def interrogator_of(encoder: ImageTextEncoder, name: str | Path, language: str = "zh") -> Interrogator:
    """Asks pictures as the model of this name, which is `encoder`, sees them: the phrases, or their English glosses."""
    phrases = [phrase if language == "zh" else phrase._replace(text=phrase.gloss) for phrase in load_phrases()]
    texts = [phrase.text for phrase in phrases]
    embeds, reference = encoder.encode_texts(texts, cache=True), reference_pictures(encoder, name)
    prior = log_prior(np.full(len(texts), ANY_WORD), LABELLED)
    ranker = WordRanker(texts, embeds, prior, reference, shipped_calibration())
    return Interrogator(encoder, phrases, ranker, "，" if language == "zh" else ", ")


@cache
def load_pipeline(profile: str) -> ImageToPoem:
    """The profile's pipeline, one for all who ask, without progress bars: stderr is for errors, and loading is quick.

    Raises ValueError if there is no such profile or its poem model has not been trained yet.
    """
    logging.disable_progress_bar()
    return ImageToPoem(load_config(profile))
