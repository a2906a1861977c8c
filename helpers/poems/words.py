"""The words inside a poem: its possible keywords, for a corpus that gives none."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence

from helpers.poems.corpus import Quatrain

SINGLE = 0.15  # the share of keywords cut to one character: CCPC has such keywords too
UNTOLD = 0.15  # the share of sources without keywords: what is told nothing must learn from the lines
EARLIER = 0.1  # the share of sources that tell only words of the lines so far
ORDERED = 0.5  # the share of sources whose words stand in the order of the poem


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


def told_keywords(poem: Quatrain, written: int, counts: Counter[str], rng: random.Random) -> list[str]:
    """The words that a source tells of a poem of which `written` lines stand already: some, or none.

    The poem's own keywords, or where it has none, words of its lines (`keywords_or_part`). Told all of them every
    time, a model learns to place words and hardly reads the lines.
    """
    draw = rng.random()
    if draw < UNTOLD:
        return []
    words = list(poem.keywords) or keywords_or_part(poem.lines, counts, rng)
    if draw < UNTOLD + EARLIER:
        words = [word for word in words if any(word in line for line in poem.lines[:written])]
    return in_order(words, poem.lines) if rng.random() < ORDERED else rng.sample(words, len(words))


def in_order(words: Sequence[str], lines: Sequence[str]) -> list[str]:
    """The words in the order in which the lines have them; those that they lack come first."""
    return sorted(words, key="|".join(lines).find)
