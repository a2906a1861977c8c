"""Words that a poem may add to those seen: what classical verse keeps with them, and the picture does not contradict.

A quatrain wants four words and a photograph may show two. Poets seldom name only what is before their eyes either; but
what they add is at home beside it, as the crane is beside the pine.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

import numpy as np

from helpers.config import ASSETS
from helpers.keywords import ScoredWord, WordRanker, clash, load_vocabulary, moments_of, needs_night
from helpers.poems import read_split

PRIOR = 3.0  # poems that chance weighs: a pair seen once or twice says little
FITTING = 1.0  # standard score from which a picture speaks for a word, though it is too little to claim it


class Associations:
    """Which of M words stand in which of the poems, each a sequence of lines."""

    def __init__(self, words: Sequence[str], poems: Iterable[Sequence[str]]) -> None:
        self.words = list(words)
        self.index = {word: i for i, word in enumerate(self.words)}
        longest = max(map(len, self.words))
        rows = [{self.index[part] for part in parts(lines, longest) if part in self.index} for lines in poems]
        self.holds = np.zeros((len(rows), len(self.words)), dtype=bool)  # (P, M)
        for poem, indices in enumerate(rows):
            self.holds[poem, list(indices)] = True
        self.counts = self.holds.sum(0)  # (M,) poems that hold the word

    def affinity(self, word: str) -> np.ndarray:
        """How much more often each word stands in the poems of this one than chance has it, as a logarithm: (M,).

        Pointwise mutual information, drawn to zero where there are few poems (`PRIOR`).
        """
        if word not in self.index:
            return np.zeros(len(self.words), dtype=np.float32)
        together = self.holds[self.holds[:, self.index[word]]].sum(0)  # (M,)
        expected = self.counts[self.index[word]] * self.counts / len(self.holds)
        return np.log((together + PRIOR) / (expected + PRIOR))

    def choose(self, seen: Sequence[str], fit: dict[str, float], k: int) -> list[str]:
        """Up to k words that go with those `seen`, best first.

        `fit`: standard score of each word that the picture does not contradict. Affinity decides, a tenth of the fit
        breaks ties; none shares a character with another word or contradicts it.
        """
        total = sum(self.affinity(word) for word in seen) / max(len(seen), 1)
        total = total + np.array([0.1 * fit.get(word, -np.inf) for word in self.words])
        found: list[str] = []
        for i in np.argsort(-total, kind="stable"):
            if len(found) == k or total[i] == -np.inf:
                break
            if not clash(self.words[i], [*seen, *found]):
                found.append(self.words[i])
        return found

    def most_usual(self, words: Sequence[str]) -> str:
        """Of several words the one that most of the poems hold; the first, if none is in any."""
        return max(words, key=lambda word: self.counts[self.index[word]] if word in self.index else -1)


def with_associations(
    ranker: WordRanker, seen: Sequence[ScoredWord], scores: np.ndarray, unseen: Sequence[str], k: int
) -> list[ScoredWord]:
    """The words seen in a picture and, to make up k, associations with them.

    `scores` (M,): standard scores of the ranker's words. If nothing is claimed, the likeliest word is a start, and not
    said to be seen. `unseen`: words that no picture shows. A word and its twins have several names; verse's most usual
    one is taken.
    """
    chances = ranker.calibration.probabilities(scores, ranker.log_prior)  # (M,)
    seen = list(seen) or [ranker.scored(int(chances.argmax()), scores, chances)._replace(seen=False)]
    row: list[ScoredWord] = []
    for i, scored in enumerate(seen):
        others = [other.word for other in [*row, *seen[i + 1 :]]]
        row.append(scored._replace(word=usual_name(ranker.twins_of(scored.word), scored.word, others)))
    if len(row) == k:
        return row
    words, fitting = [scored.word for scored in row], np.flatnonzero(scores >= FITTING)
    night = any("night" in moments_of(word) for word in words)
    found = {ranker.words[i]: ranker.scored(i, scores, chances)._replace(seen=False) for i in fitting}
    found = {word: scored for word, scored in found.items() if night or not needs_night(word)}
    found |= {word: ScoredWord(word, 0.0, 0.0, False) for word in unseen}
    fit = {word: scored.score for word, scored in found.items()}
    return row + [found[word] for word in shipped_associations().choose(words, fit, k - len(row))]


def usual_name(names: Sequence[str], word: str, others: Sequence[str]) -> str:
    """Of a word and its twins the one that verse uses most, of those that go with the other words of the picture."""
    fitting = [name for name in names if not clash(name, others) and needs_night(name) <= needs_night(word)]
    return shipped_associations().most_usual([word, *fitting]) if set(fitting) - {word} else word


def parts(lines: Sequence[str], longest: int) -> Iterable[str]:
    """Every run of up to `longest` characters of each line."""
    return (line[i : i + n] for line in lines for n in range(1, longest + 1) for i in range(len(line) - n + 1))


@cache
def shipped_associations() -> Associations:
    """Those of keyword.txt in the training poems of this repository."""
    words = [keyword.word for keyword in load_vocabulary()]
    return Associations(words, [poem.lines for poem in read_split(ASSETS / "poems", "train")])
