"""The next-line test: which of ten lines is the fourth of a poem? It asks whether a model reads what stands before.

The nine others are fourth lines of other poems with the same rhyme group and the same tones at the even places, so that
neither rhyme nor order gives the answer away; chance is one in ten.
"""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from helpers.verse import enforced, rhyme_of, tone_pattern

LINES = 10


def line_choices(poems: Sequence[Sequence[str]], size: int, seed: int = 0) -> list[tuple[Sequence[str], list[str]]]:
    """(poem, its fourth line and nine others) for `size` of the poems; fewer if there are not so many that allow it."""
    rng, alike = random.Random(seed), defaultdict(set)
    for poem in poems:
        alike[_kind(poem)].add(poem[3])
    tests = []
    for poem in rng.sample(poems, len(poems)):
        others = sorted(alike[_kind(poem)] - {poem[3]})
        if _kind(poem)[1] and len(others) >= LINES - 1 and len(tests) < size:
            tests.append((poem, [poem[3], *rng.sample(others, LINES - 1)]))
    return tests


def _kind(poem: Sequence[str]) -> tuple[int, str | None, str]:
    """Length, level group of the rhyme (None if there is none), tones of the even places of line 4."""
    kind, group = rhyme_of(poem, enforced())
    return len(poem[3]), group if kind == "level" else None, tone_pattern(poem[3])[1::2]


def choice_accuracy(scores: np.ndarray) -> float:
    """The share of rows whose first column is the best: scores (N, LINES); a tie with another one is no hit."""
    return float((scores[:, 0] > scores[:, 1:].max(1)).mean())


class CharacterAssociation:
    """Which characters go with which in a poem, by counting: positive pointwise mutual information (PPMI).

    After Church and Hanks (1990): log p(a, b) / p(a) p(b), nothing below zero, of a character of lines 1-3 and one of
    line 4 of the same poem.
    """

    def __init__(self, poems: Iterable[Sequence[str]]) -> None:
        self.pairs: Counter[tuple[str, str]] = Counter()
        self.before: Counter[str] = Counter()
        self.last: Counter[str] = Counter()
        for poem in poems:
            before, last = set("".join(poem[:3])), set(poem[3])
            self.before.update(before)
            self.last.update(last)
            self.pairs.update((a, b) for a in before for b in last)
        self.total = self.pairs.total()

    def score(self, poem: Sequence[str], line: str) -> float:
        """The mean PPMI of all pairs of a character of the poem's first three lines and one of `line`."""
        before, last = set("".join(poem[:3])), set(line)
        return sum(self._ppmi(a, b) for a in before for b in last) / (len(before) * len(last))

    def _ppmi(self, a: str, b: str) -> float:
        together = self.pairs[a, b]
        if not together:
            return 0.0
        mean_pairs = self.total / (self.before.total() * self.last.total())
        return max(0.0, math.log(together / (self.before[a] * self.last[b] * mean_pairs)))
