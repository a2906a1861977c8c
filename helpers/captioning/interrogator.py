"""Asking a picture: a caption, ranked tables of phrases, and the prompt that fits it best (after clip-interrogator).

An image-text model cannot write. But it can say of any phrase how well it fits, and with some thousand phrases in
tables that amounts to a description. Scores are standard deviations above what the text gets from pictures in
general: by raw cosines a few phrases, the hubs, would win everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from helpers.keywords import (
    ANY_WORD,
    FLAWS,
    LABELLED,
    VERSE,
    Phrase,
    ScoredWord,
    WordRanker,
    goes_with,
    log_prior,
    pick_diverse,
    standardised,
    without_mean,
    word_statistics,
)
from helpers.options import INTERROGATION_MODES

if TYPE_CHECKING:
    from helpers.chinese_clip import ImageTextEncoder

LEAST = 3.0  # phrases that stand out less are left out of a prompt
VERSES = 3  # phrases of verse in a classic prompt; one of each other table
SHORTLIST = 48  # phrases that a chain chooses among
LONGEST = 8  # phrases of a prompt
SHORTEST = 4  # phrases of a negative one, whether or not they help
PROSE = ("medium", "view", "mood", FLAWS)  # tables whose phrases no line of verse should hold
LOWEST = np.finfo(np.float32).min  # of a score that is one
WORD = 3  # characters that a word of a line may have


class ScoredPhrase(NamedTuple):
    phrase: str
    score: float  # of the phrase; in a chain, of the whole prompt up to it


@dataclass(frozen=True)
class Interrogation:
    """What a picture answered. `chain`: how the prompt grew, where it was looked for; the caption is its first link."""

    caption: str
    tables: dict[str, list[ScoredPhrase]]
    prompt: str
    chain: list[ScoredPhrase] = field(default_factory=list)


class Interrogator:
    """Ranks the phrases of all tables by pictures, and looks for the prompt that fits them best."""

    def __init__(
        self, encoder: ImageTextEncoder, phrases: Sequence[Phrase], ranker: WordRanker, comma: str = "，"
    ) -> None:
        """`ranker`: of these phrases as texts of `encoder`, in their order; `comma`: between the parts of a prompt."""
        self.encoder, self.ranker, self.comma = encoder, ranker, comma
        self.table = np.array([phrase.table for phrase in phrases])  # (M,)
        self.directions = without_mean(ranker.embeds)  # (M, D)

    def __call__(
        self, image_embeds: np.ndarray, captions: Sequence[str], mode: str = "best", k: int = 3
    ) -> list[Interrogation]:
        """N pictures (N, D) and a caption each; of every table the k best phrases. ValueError for an unknown mode."""
        if mode not in INTERROGATION_MODES:
            raise ValueError(f"unknown mode {mode!r}: choose one of {', '.join(INTERROGATION_MODES)}")
        captions = [caption.rstrip("。.；; ") for caption in captions]
        scores = self.scores(image_embeds)  # (N, M)
        tables = [self.best_of_tables(row, k) for row in scores]
        chains: list[list[ScoredPhrase]] = [[] for _ in captions]
        if mode == "negative":
            chains = self.negative_chains(image_embeds, scores)
            prompts = [self.text_of(chain) for chain in chains]
        elif mode == "best":
            chains = self.chains(image_embeds, captions, scores)
            prompts = self.fittest(image_embeds, captions, scores, chains)
        else:
            make = {"fast": self.fast, "classic": self.classic}[mode]
            prompts = [make(*each) for each in zip(captions, scores, strict=True)]
        return [Interrogation(*row) for row in zip(captions, tables, prompts, chains, strict=True)]

    def scores(self, image_embeds: np.ndarray) -> np.ndarray:
        """Pictures (N, D) -> standard scores (N, M), those of words that people often see raised by how often.

        Of most phrases nobody has counted that; their scores stay as they are.
        """
        ranker = self.ranker
        uncounted = log_prior(np.array(ANY_WORD), LABELLED)
        return ranker.calibration.total_scores(ranker.scores(image_embeds), ranker.log_prior - uncounted)

    def best_of_tables(self, scores: np.ndarray, k: int) -> dict[str, list[ScoredPhrase]]:
        """The k best phrases of each table for one picture, by the scores (M,) of all, without near-synonyms."""
        found = {}
        for table in dict.fromkeys(self.table.tolist()):
            chosen = self.pick(np.where(self.table == table, scores, -np.inf), k)
            found[table] = [ScoredPhrase(self.ranker.words[i], float(scores[i])) for i in chosen]
        return found

    def pick(self, scores: np.ndarray, k: int, least: float = LOWEST, taken: Sequence[int] = ()) -> list[int]:
        """Indices of the k best of (M,), no two that mean the same, share a character or exclude one another.

        `taken`: chosen beforehand, among the k. What has a score of minus infinity is not chosen.
        """
        return pick_diverse(scores, self.ranker.words, self.directions, k, least=least, taken=taken)

    def without_flaws(self, scores: np.ndarray) -> np.ndarray:
        """The scores (M,) of what may stand in a prompt."""
        return np.where(self.table == FLAWS, -np.inf, scores)

    def fast(self, caption: str, scores: np.ndarray) -> str:
        """The caption and the best phrases of all tables together."""
        chosen = self.pick(self.without_flaws(scores), LONGEST, LEAST)
        return self.joined([caption, *(self.ranker.words[i] for i in chosen)])

    def classic(self, caption: str, scores: np.ndarray) -> str:
        """The caption, the best phrase of each table, and some of verse; what does not stand out is left out."""
        found = self.best_of_tables(self.without_flaws(scores), VERSES)
        chosen = [link for table, row in found.items() for link in row[: VERSES if table == VERSE else 1]]
        return self.joined([caption, *(link.phrase for link in chosen if link.score >= LEAST)])

    def words_for_verse(
        self, image_embeds: np.ndarray, sure: Sequence[Sequence[str]], k: int, unknown: set[str]
    ) -> list[list[ScoredWord]]:
        """For each picture (N, D) k words that a line of verse can hold, beginning with those `sure` of its own.

        Of the tables of prose none, and none with an `unknown` character.
        """
        words = self.ranker.words
        usable = np.array([len(word) <= WORD and not unknown & set(word) for word in words])
        usable &= ~np.isin(self.table, PROSE)
        scores, found = self.ranker.scores(image_embeds), []  # (N, M)
        chances = self.ranker.calibration.probabilities(scores, self.ranker.log_prior)
        for row, chance, seen in zip(scores, chances, sure, strict=True):
            taken = [self.ranker.index[word] for word in seen if word in self.ranker.index]
            chosen = self.pick(np.where(usable, row, -np.inf), k, taken=taken)
            found.append([self.ranker.scored(i, row, chance) for i in chosen])
        return found

    def joined(self, parts: Sequence[str]) -> str:
        """A prompt of its parts; a caption may be empty."""
        return self.comma.join(part for part in parts if part)

    def text_of(self, chain: Sequence[ScoredPhrase]) -> str:
        """The prompt up to the last link."""
        return self.joined([link.phrase for link in chain])

    def text_scores(self, image_embeds: np.ndarray, texts: Sequence[str]) -> np.ndarray:
        """Standard scores of T texts, each for its own picture (T, D) -> (T,)."""
        embeds = self.encoder.encode_texts(texts)  # (T, D)
        statistics = word_statistics(embeds, self.ranker.reference_embeds)
        return standardised((image_embeds * embeds).sum(1), statistics)

    def fittest(
        self, image_embeds: np.ndarray, captions: Sequence[str], scores: np.ndarray, chains: list[list[ScoredPhrase]]
    ) -> list[str]:
        """Of the chain, fast and classic the prompt that stands out most; a chain is no worse than its caption."""
        prompts = [[make(*each) for each in zip(captions, scores, strict=True)] for make in (self.fast, self.classic)]
        found = [self.text_scores(image_embeds, row) for row in prompts]
        prompts.append([self.text_of(chain) for chain in chains])
        found.append(np.array([chain[-1].score for chain in chains]))
        return [prompts[which][picture] for picture, which in enumerate(np.argmax(found, 0))]

    def chains(self, image_embeds: np.ndarray, captions: Sequence[str], scores: np.ndarray) -> list[list[ScoredPhrase]]:
        """The caption of each picture, then whatever phrase raises the whole text's score most, and so on."""
        own = self.text_scores(image_embeds, captions)
        starts = [[ScoredPhrase(text, float(score))] for text, score in zip(captions, own, strict=True)]
        shortlists = np.argsort(-self.without_flaws(scores), axis=1)[:, :SHORTLIST]
        return self.greedy(image_embeds, starts, shortlists.tolist())

    def negative_chains(self, image_embeds: np.ndarray, scores: np.ndarray) -> list[list[ScoredPhrase]]:
        """What each picture is least like, with the flaws among what is tried."""
        flaws = np.flatnonzero(self.table == FLAWS).tolist()
        shortlists = np.argsort(-self.without_flaws(-scores), axis=1)[:, :SHORTLIST]
        return self.greedy(
            image_embeds, [[] for _ in scores], [[*row, *flaws] for row in shortlists.tolist()], -1, SHORTEST
        )

    def greedy(
        self, image_embeds: np.ndarray, starts: list[list[ScoredPhrase]], shortlists: list[list[int]], sign: int = 1,
        least: int = 0,
    ) -> list[list[ScoredPhrase]]:  # fmt: skip
        """Chains of N pictures at once, each until no phrase helps but `least`: `sign` 1 climbs, -1 goes down.

        What is to be beaten is turned round like what would beat it: else a chain that goes down ends with its first.
        """
        words, chains, used = self.ranker.words, [list(start) for start in starts], [[] for _ in starts]
        going = list(range(len(starts)))
        for _ in range(LONGEST):
            tries = [(n, i) for n in going for i in shortlists[n] if goes_with(i, used[n], words, self.directions)]
            if not tries:
                break
            owners = np.array([n for n, _ in tries])
            texts = [self.joined([self.text_of(chains[n]), words[i]]) for n, i in tries]
            found = sign * self.text_scores(image_embeds[owners], texts)
            going = []
            for n in np.unique(owners).tolist():
                best = int(np.where(owners == n, found, -np.inf).argmax())
                if len(used[n]) < least or found[best] > sign * chains[n][-1].score:
                    index = tries[best][1]
                    chains[n].append(ScoredPhrase(words[index], float(sign * found[best])))
                    used[n].append(index)
                    going.append(n)
        return chains
