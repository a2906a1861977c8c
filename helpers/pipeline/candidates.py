"""Ways from a picture to candidate quatrains: by keywords, by a classical line, with the picture as judge or in sight.

Each writes n candidates for each of N pictures, from `plans`, the words of each picture in the order of their lines;
which of them is shown is the choice's affair (`helpers.pipeline.choice`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from helpers.keywords import LineIndex
from helpers.options import PoemOptions
from helpers.poems import Drafts, Poem, PoemWriter
from helpers.verse import Line, enforced, read_tones, repeated_characters

if TYPE_CHECKING:
    from helpers.captioning import VersePrefix

COPIES = 4  # keep 1 in 4 drafts and copy each 4 times
Plans = Sequence[Sequence[str]]
# pictures (N, D), N·n poems, their mean log-likelihoods (N·n,) -> (N, n), the higher the better
Scores = Callable[[np.ndarray, Sequence[Sequence[str]], np.ndarray], np.ndarray]


def from_keywords(writer: PoemWriter, plans: Plans, options: PoemOptions) -> list[list[Poem]]:
    """The main way: after the keywords the poem model sees nothing of the picture."""
    return writer.write_batch(plans, options)


def in_sight(
    writer: PoemWriter, prefix: VersePrefix, image_embeds: np.ndarray, plans: Plans, options: PoemOptions
) -> list[list[Poem]]:
    """The keywords, and the picture itself (N, D), in front of them as vectors that the poem model looks at."""
    with torch.inference_mode():
        seen = torch.from_numpy(np.ascontiguousarray(image_embeds, dtype=np.float32)).to(prefix.device)
        vectors = prefix(seen)  # (N, k, W)
    return writer.write_batch(plans, options, prefixes=vectors)


def from_lines(
    writer: PoemWriter, index: LineIndex, queries: np.ndarray, plans: Plans, options: PoemOptions
) -> list[list[Poem]]:
    """Retrieval: the n classical lines nearest to each query (N, D), each continued by the poem model.

    Raises ValueError if there are fewer than n lines to begin with.
    """
    if options.n > len(index.lines):
        raise ValueError(f"n is {options.n}, but there are only {len(index.lines)} lines to begin a poem with")
    found = [[line for line, _ in row] for row in index.search(queries, options.n)]  # N rows of n
    poems = writer.write_batch(plans, options, openings=[line.text for row in found for line in row])
    return [
        [replace(poem, opening=line) for poem, line in zip(*pair, strict=True)]
        for pair in zip(poems, found, strict=True)
    ]


def guided(
    writer: PoemWriter, scores: Scores, image_embeds: np.ndarray, plans: Plans, options: PoemOptions
) -> list[list[Poem]]:
    """The picture reads along: after each line the drafts with the best scores go on, several times each.

    A beam search over lines with the image-text model as its judge, as MAGIC (Su et al. 2022, arXiv:2205.02655) does
    for every token. `image_embeds` (N, D); `scores` as of `Choice.total_scores`.
    """
    keep = -(-options.n // COPIES)  # rounded up

    def select(drafts: Drafts) -> list[int]:
        totals = scores(image_embeds, drafts.lines, drafts.means().numpy())  # (N, n)
        best = np.argsort(-totals, axis=1, kind="stable")[:, :keep]  # (N, keep)
        rows = best[:, np.arange(options.n) % keep] + options.n * np.arange(len(totals))[:, None]  # (N, n)
        return rows.ravel().tolist()

    return writer.write_batch(plans, options, select=select)


def can_open(line: Line, line_length: int, unknown: set[str]) -> bool:
    """Can a poem begin with the line: by its length, its tones, no character twice and none of the `unknown` ones?"""
    text = line.text
    (read,) = read_tones([text], enforced())
    tonal = read.licence is not None and not read.tail
    return len(text) == line_length and tonal and not repeated_characters([text]) and not unknown & set(text)
