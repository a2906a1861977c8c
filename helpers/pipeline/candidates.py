"""Three ways from a picture to candidate quatrains: by keywords, by a classical line, or with the picture at hand.

Each takes the pipeline, the pictures' embeddings (N, D), the words of each picture and the wishes, and writes n
candidates for each picture; which of them is shown is the pipeline's choice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from helpers.keywords import Line, calibrated_queries
from helpers.options import FORMS, PoemOptions
from helpers.poems import Drafts, Poem
from helpers.verse import in_tonal_order, repeated_characters

if TYPE_CHECKING:
    from helpers.pipeline.image_to_poem import ImageToPoem

KEPT = 4  # of the drafts one in so many goes on, that many times
Words = Sequence[Sequence[str]]


@dataclass(frozen=True)
class ContinuedPoem(Poem):
    """A poem whose first line is a poet's."""

    opening: Line


def from_keywords(
    pipeline: ImageToPoem, image_embeds: np.ndarray, words: Words, options: PoemOptions
) -> list[list[Poem]]:
    """The main way: after the keywords the poem model sees nothing of the picture."""
    return pipeline.writer.write_batch(words, **options.of_writer())


def from_lines(
    pipeline: ImageToPoem, image_embeds: np.ndarray, words: Words, options: PoemOptions
) -> list[list[ContinuedPoem]]:
    """Retrieval: the n classical lines nearest to each picture, each continued by the poem model.

    Raises ValueError if there are fewer than n lines to begin with.
    """
    index = pipeline.openings(options.form)
    if options.n > len(index.lines):
        raise ValueError(f"n is {options.n}, but there are only {len(index.lines)} lines to begin a poem with")
    queries = calibrated_queries(image_embeds, pipeline.reference_embeds)
    found = [[line for line, _ in row] for row in index.search(queries, options.n)]  # N rows of n
    openings = [line.text for row in found for line in row]
    poems = pipeline.writer.write_batch(words, **options.of_writer(), openings=openings)
    return [
        [ContinuedPoem(**vars(poem), opening=line) for poem, line in zip(*pair, strict=True)]
        for pair in zip(poems, found, strict=True)
    ]


def guided(pipeline: ImageToPoem, image_embeds: np.ndarray, words: Words, options: PoemOptions) -> list[list[Poem]]:
    """The picture reads along: after each line the drafts that fit it best go on, several times each.

    A beam search over lines with the image-text model as its judge, as MAGIC (Su et al. 2022, arXiv:2205.02655) does
    for every token.
    """
    keep = -(-options.n // KEPT)  # rounded up

    def select(drafts: Drafts) -> list[int]:
        totals = pipeline.total_scores(image_embeds, drafts.lines, drafts.means().numpy())  # (N, n)
        best = np.argsort(-totals, axis=1, kind="stable")[:, :keep]  # (N, keep)
        rows = best[:, np.arange(options.n) % keep] + options.n * np.arange(len(totals))[:, None]  # (N, n)
        return rows.ravel().tolist()

    return pipeline.writer.write_batch(words, **options.of_writer(), select=select)


def suits(line: Line, form: str, unknown: set[str]) -> bool:
    """Whether a poem of this form can begin with the line: its length, its tones, no character twice or `unknown`."""
    text = line.text
    tonal = any(in_tonal_order([text], first) for first in "平仄")
    return len(text) == FORMS[form] and tonal and not repeated_characters([text]) and not unknown & set(text)


Way = Callable[["ImageToPoem", np.ndarray, Words, PoemOptions], list[list[Poem]]]
FUNCTIONS: dict[str, Way] = {"keywords": from_keywords, "lines": from_lines, "guided": guided}  # of all WAYS
