"""A line for each keyword: words go where poets put them (Wang et al. 2016, arXiv:1610.09889: plan, then write).

A quatrain opens with what is far and seen (起), carries it on (承), turns (转), and closes (合), so 远山 tends to stand
early and 归 late. How often each word and each of its characters stands in each line of real poems says where it is at
home; of all ways to give the words a line each, the one that suits them best is taken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import permutations
from math import log

from helpers.config import ASSETS
from helpers.poems import read_split

LINES = range(4)
PRIOR = 8.0  # occurrences that a guess weighs: a word is judged by itself once it was seen more often


class LinePlan:
    """Gives keywords to lines by where they stand in `poems`, each a sequence of four lines."""

    def __init__(self, poems: Iterable[Sequence[str]]) -> None:
        self.text = ["\n".join(lines) for lines in zip(*poems, strict=True)]  # of all first lines, all second lines ...
        self.characters = [Counter(text) for text in self.text]

    def shares(self, word: str) -> list[float]:
        """The probability of the word in each of the four lines: (4,), sums to 1.

        Its own counts, smoothed towards those of its characters, and these towards a quarter each.
        """
        characters = [[counts[char] for counts in self.characters] for char in word]  # (characters, 4)
        guesses = [smoothed(counts, [1 / 4] * 4) for counts in characters]
        guess = [sum(column) / len(guesses) for column in zip(*guesses, strict=True)]
        return smoothed([text.count(word) for text in self.text], guess) if len(word) > 1 else guess

    def order(self, words: Sequence[str]) -> list[str]:
        """The words, of which the first four are given a line each, in the order of their lines.

        Fewer than four stand in the first lines. The product of their shares is the largest there is; of two orders
        with the same product the one that comes first keeps the words as they were.
        """
        planned, rest = list(words[:4]), list(words[4:])
        logs = {word: [log(share) for share in self.shares(word)] for word in planned}
        best = max(permutations(planned), key=lambda order: sum(logs[word][i] for i, word in enumerate(order)))
        return [*best, *rest]


def smoothed(counts: Sequence[float], prior: Sequence[float]) -> list[float]:
    """Counts as shares, with `PRIOR` occurrences more that are spread as `prior` is."""
    total = sum(counts) + PRIOR
    return [(count + PRIOR * share) / total for count, share in zip(counts, prior, strict=True)]


@cache
def shipped_plan() -> LinePlan:
    """The plan that the training poems of this repository give: it is about verse, whichever model writes."""
    return LinePlan([poem.lines for poem in read_split(ASSETS / "poems", "train")])
