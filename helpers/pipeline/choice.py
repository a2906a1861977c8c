"""The choice among n candidates: rules of verse first, then coherence, likelihood and fit to the picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from helpers.keywords import word_bias
from helpers.options import PoemOptions
from helpers.verse import check_poem, is_list

if TYPE_CHECKING:
    from helpers.chinese_clip import ImageTextEncoder
    from helpers.poems import Poem, PoemReader

RHYME, TONES = ("rhyme", "first_line", "third_line"), ("order", "tails")  # the faults that each option forbids
FINALISTS = 8  # candidates that are compared with the picture, at least
COHERENCE_WEIGHT = 1.0  # weight of the second reader's z-score relative to the image-text z-score
LIKELIHOOD_WEIGHT = 1.0  # weight of the T5's z-score; both were found by blind reading of poems for other keywords


def image_text_fit(image_embeds: np.ndarray, text_embeds: np.ndarray, reference_embeds: np.ndarray) -> np.ndarray:
    """Resemblance to the own picture minus that to pictures in general: (N, D), (N, n, D), (R, D) -> (N, n)."""
    general = word_bias(text_embeds, reference_embeds)  # (N, n): some poems resemble every picture
    return np.einsum("ind,id->in", text_embeds, image_embeds) - general  # (N, n, D) . (N, D) -> (N, n)


def total_scores(fit: np.ndarray, log_likelihoods: np.ndarray, coherence: np.ndarray | None = None) -> np.ndarray:
    """All opinions on one scale, added: (N, n) each -> (N, n). Unfinished poems have no coherence."""
    return standardise(fit) + sense_scores(log_likelihoods, coherence)


def sense_scores(log_likelihoods: np.ndarray, coherence: np.ndarray | None = None) -> np.ndarray:
    """The opinions that need no picture, on one scale, added: (N, n) each -> (N, n)."""
    sense = LIKELIHOOD_WEIGHT * standardise(log_likelihoods)
    return sense if coherence is None else sense + COHERENCE_WEIGHT * standardise(coherence)


def standardise(scores: np.ndarray) -> np.ndarray:
    """Each row minus its mean, over its standard deviation: (N, n) -> (N, n); a constant row becomes zeros."""
    spread = scores.std(1, keepdims=True)
    return (scores - scores.mean(1, keepdims=True)) / np.where(spread > 0, spread, 1)


def broken_rules(lines: Sequence[str], options: PoemOptions, words: Sequence[str] = ()) -> int:
    """The number of rules that the poem was to keep and breaks, and of `words` that it was to hold and lacks.

    A constraint gives way where it must. That a poem begins its lines with its words, like a list, counts as a rule
    broken, too: one in twenty of the poets' poems does, half of the T5's.
    """
    found = check_poem(lines, words)
    waived = {*(RHYME if not options.rhyme else ()), *(TONES if not options.tone else ())}
    others = bool(found["repeats"]) + len(found["missing"]) + is_list(lines, words)
    return len(set(found["faults"]) - waived) + others


def best_first(totals: np.ndarray, broken: np.ndarray) -> np.ndarray:
    """Each row's candidates, those with fewer broken rules first, then by score: (N, n), (N, n) -> (N, n) indices."""
    return np.lexsort((-totals, broken), axis=1)


class Choice:
    """Scores and orders the candidates of pictures; `reference_embeds` (R, D): pictures of all kinds."""

    def __init__(self, encoder: ImageTextEncoder, reference_embeds: np.ndarray, reader: PoemReader) -> None:
        self.encoder, self.reference_embeds, self.reader = encoder, reference_embeds, reader

    def total_scores(
        self,
        image_embeds: np.ndarray,
        poems: Sequence[Sequence[str]],
        log_likelihoods: np.ndarray,
        coherence: np.ndarray | None = None,
    ) -> np.ndarray:
        """The total score of each of n poems, finished or not, for its picture: (N, D), N·n poems, (N·n,) -> (N, n)."""
        shape = len(image_embeds), -1
        text_embeds = self.encoder.encode_texts(["，".join(lines) for lines in poems])  # (N·n, D)
        text_embeds = text_embeds.reshape(*shape, image_embeds.shape[1])  # (N, n, D)
        fit = image_text_fit(image_embeds, text_embeds, self.reference_embeds)
        return total_scores(fit, log_likelihoods.reshape(shape), coherence)

    def best_first(
        self, image_embeds: np.ndarray, candidates: Sequence[Sequence[Poem]], options: PoemOptions
    ) -> list[list[Poem]]:
        """The n candidates of each picture (N, D), best first.

        Fewer broken rules first, then likelihood and coherence; the best quarter, the finalists, then by their total
        scores: a text costs as much to compare with a picture as to write.
        """
        shape = len(candidates), len(candidates[0])
        poems = [poem for row in candidates for poem in row]
        likelihoods = np.array([poem.log_likelihood for poem in poems]).reshape(shape)  # (N, n)
        broken = np.array([
            broken_rules(poem.lines, options, poem.keywords[:4] if options.keyword_per_line else ()) for poem in poems
        ]).reshape(shape)  # fmt: skip
        coherence = self.reader.coherence([poem.lines for poem in poems]).reshape(shape)  # (N, n)
        orders = best_first(sense_scores(likelihoods, coherence), broken)  # (N, n)
        finalists = orders[:, : max(FINALISTS, shape[1] // 4)]  # (N, m)
        lines = [row[i].lines for row, chosen in zip(candidates, finalists, strict=True) for i in chosen]
        theirs = [np.take_along_axis(scores, finalists, 1) for scores in (likelihoods, coherence)]
        totals = self.total_scores(image_embeds, lines, *theirs)
        places = best_first(totals, np.take_along_axis(broken, finalists, 1))  # (N, m)
        orders[:, : finalists.shape[1]] = np.take_along_axis(finalists, places, 1)
        return [[row[i] for i in order] for row, order in zip(candidates, orders, strict=True)]
