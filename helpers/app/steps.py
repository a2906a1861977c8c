"""The steps of the app, without a page: a photograph is read, poems are written for it, a card is drawn.

A request need not come from our page, so what it may ask is judged here: ValueError (an ImageError is one) with one
line for the reader.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from helpers.cards import poem_card
from helpers.data import ImageError, load_image
from helpers.options import CardOptions, PoemOptions

if TYPE_CHECKING:
    from helpers.captioning import Interrogation
    from helpers.keywords import ScoredWord
    from helpers.pipeline import ImageToPoem
    from helpers.poems import Poem

MAX_CANDIDATES = 48
SHOWN = 8  # of them
MAX_WORDS = 8
MAX_TEXT = 60  # characters in the keyword field
SEPARATORS = str.maketrans(dict.fromkeys(",，、;；。\n\t\u3000", " "))


@dataclass(frozen=True, eq=False)  # gradio hashes what it keeps for a session: by identity
class Picture:
    """A photograph between the steps: it is decoded again for a card, but never encoded again."""

    path: str
    image_embeds: np.ndarray  # (1, D)
    words: list[ScoredWord]  # its own keywords, best first
    caption: str = ""  # a sentence, where there is a captioner

    @property
    def text(self) -> str:
        return " ".join(scored.word for scored in self.words)

    @property
    def account(self) -> str:
        """What is claimed to be seen, with its probability, and what verse adds to it."""
        seen = [f"{scored.word} {scored.probability:.0%}" for scored in self.words if scored.seen]
        added = [scored.word for scored in self.words if not scored.seen]
        parts = [("Seen 所见", seen), ("Associated 联想", added)]
        return " · ".join(f"{name}: {'、'.join(words)}" for name, words in parts if words)


@dataclass(frozen=True, eq=False)
class Writing:
    """The poems written for a picture."""

    picture: Picture
    title: str
    poems: list[Poem]  # best first


def read_picture(pipeline: ImageToPoem, path: str) -> Picture:
    """Step 1. Raises ImageError."""
    image_embeds = pipeline.encoder.encode_images([open_photo(path)])  # (1, D)
    (words,) = pipeline.keywords(image_embeds, pipeline.config.keywords)
    caption = pipeline.captions(image_embeds)[0] if pipeline.can_caption else ""
    return Picture(path, image_embeds, words, caption)


def write_poems(pipeline: ImageToPoem, picture: Picture | None, typed: str, options: PoemOptions) -> Writing:
    """Step 2: poems for the picture's own keywords, or for those typed instead."""
    if picture is None:
        raise ValueError("choose a photograph first 请先选一张照片")
    if options.n > MAX_CANDIDATES:
        raise ValueError(f"at most {MAX_CANDIDATES} candidates, not {options.n}")
    words = chosen_words(pipeline, picture, typed)
    options.check_keywords(None if words is picture.words else [scored.word for scored in words])
    if options.way == "caption":
        (words,) = pipeline.caption_keywords(picture.image_embeds, [picture.caption], pipeline.config.keywords)
    if options.way == "interrogate":
        (words,) = pipeline.interrogated_keywords(picture.image_embeds, pipeline.config.keywords)
    (result,) = pipeline.poems(picture.image_embeds, [words], options)
    return Writing(picture, result.title, result.candidates[:SHOWN])


def ask_picture(pipeline: ImageToPoem, picture: Picture | None, mode: str) -> Interrogation:
    """Beside the three: what the picture answers to all tables of phrases, and a prompt found in one of the modes."""
    if picture is None:
        raise ValueError("choose a photograph first 请先选一张照片")
    (found,) = pipeline.interrogator(picture.image_embeds, [picture.caption], mode)
    return found


def draw_card(writing: Writing | None, number: int | None, options: CardOptions) -> Image.Image:
    """Step 3: the card of the poem with this number, from 0."""
    if writing is None:
        raise ValueError("write a poem first 请先作诗")
    if not isinstance(number, int) or number not in range(len(writing.poems)):  # 0.0 is in a range, too
        raise ValueError(f"there is no poem number {number}")
    photo, lines = open_photo(writing.picture.path), writing.poems[number].lines
    return poem_card(photo, lines, writing.title, layout=options.layout, theme=options.theme)


def open_photo(path: str) -> Image.Image:
    """`load_image`, whose complaint names the file as the reader does, without the server's folders."""
    try:
        return load_image(path)
    except ImageError as error:
        raise ImageError(str(error).replace(path, Path(path).name)) from error


def chosen_words(pipeline: ImageToPoem, picture: Picture, typed: str) -> list[ScoredWord]:
    """The words of the keyword field with their scores; the picture's own if it is empty or as it was."""
    if len(typed) > MAX_TEXT:
        raise ValueError(f"the keywords are longer than {MAX_TEXT} characters")
    words = list(dict.fromkeys(typed.translate(SEPARATORS).split()))
    if not words or words == picture.text.split():
        return picture.words
    if len(words) > MAX_WORDS:
        raise ValueError(f"at most {MAX_WORDS} keywords, not {len(words)}")
    if unknown := pipeline.writer.unknown_characters("".join(words)):
        raise ValueError(
            f"the poem model cannot spell {'、'.join(sorted(unknown))}: please use simplified Chinese words"
        )
    return pipeline.rank(picture.image_embeds, words)[0]


def candidate_text(poem: Poem) -> str:
    """The verdict in the first line, the poem in two, whose line it begins with, and what the rules left out."""
    source = f"\n（首句 line 1: {poem.opening.author}《{poem.opening.title}》）" if poem.opening else ""
    left_out = "".join(f"\n（未入诗 left out: {word}, {reason}）" for word, reason in poem.refused.items())
    return f"{verdict(poem.lines)}\n{poem}{source}{left_out}"


def verdict(lines: Sequence[str]) -> str:
    """Rhyme, tones and repeated characters of a poem in one line, by the book that did not steer its writing."""
    from helpers.verse import check_poem, reported  # brings torch: the page is up before the models are

    checks = check_poem(lines, readings=reported())
    rhyme, tones, repeats = checks["rhyme_group"] or "none", "✓" if checks["tonal"] else "free", checks["repeats"]
    return f"韵 rhyme {rhyme} · 平仄 tones {tones} · 重字 repeats {''.join(repeats) or 0}"
