"""The words inside a poem: its possible keywords, for a corpus that gives none."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence

from helpers.poems.corpus import Quatrain

SINGLE = 0.15  # the share of keywords cut to one character: CCPC has such keywords too


def words_of(line: str) -> list[str]:
    """The two-character words a line can be read as: 2+2+3 (七言) or 2+3 (五言), the last three either 2+1 or 1+2."""
    starts = {5: (0, 2, 3), 7: (0, 2, 4, 5)}[len(line)]
    return [line[start : start + 2] for start in starts]


def segment(line: str, counts: Counter[str]) -> list[str]:
    """`words_of(line)` with the last three characters read the one way, 2+1 or 1+2, that the corpus has more often."""
    *head, early, late = words_of(line)
    return [*head, max(early, late, key=lambda word: counts[word])]


def count_words(poems: Iterable[Quatrain]) -> Counter[str]:
    """Occurrences of each two-character word candidate in a corpus."""
    return Counter(word for poem in poems for line in poem.lines for word in words_of(line))


def sample_keywords(
    lines: Sequence[str], counts: Counter[str], rng: random.Random, *, min_count: int = 20, single: float = SINGLE
) -> list[str]:
    """One to five words of the poem, at most two a line, in random order, as CCPC's extraction would give them.

    Only words that occur `min_count` times in the corpus count as words; now and then (`single`) a word is cut
    to one of its characters, since CCPC has such keywords too.
    """
    pool = [(word, line) for line in lines for word in segment(line, counts) if counts[word] >= min_count]
    rng.shuffle(pool)
    wanted, chosen, load = rng.choice((1, 2, 3, 3, 4, 4, 4, 4, 5)), [], Counter()
    for limit in (1, 2):  # first one word a line, then a second
        for word, line in pool:
            overlaps = any(set(word) & set(other) for other in chosen)
            if len(chosen) < wanted and load[line] < limit and not overlaps:
                chosen.append(word)
                load[line] += 1
    return cut_some(chosen, rng, single)


def cut_some(words: Sequence[str], rng: random.Random, single: float = SINGLE) -> list[str]:
    """The words, now and then (`single`) one of them cut to one of its characters."""
    return [rng.choice(word) if rng.random() < single else word for word in words]


def keywords_or_part(lines: Sequence[str], counts: Counter[str], rng: random.Random) -> list[str]:
    """`sample_keywords`, or where no word is frequent enough the beginning of a line: a poem always has a keyword."""
    return sample_keywords(lines, counts, rng) or [rng.choice(lines)[:2]]
