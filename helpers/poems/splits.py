"""Poems that are too much alike, and splits in which nothing that is measured was learnt by heart.

Classical poems come down to us in variants, and a random split puts one variant into training and the other into the
test. Here two poems are alike if two of their lines are, and two lines are if they differ in one character at most.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from helpers.poems.corpus import Quatrain
from helpers.verse import ANY

ALIKE_LINES = 2  # one line is often a quotation, or an idiom; two are a variant


def patterns(line: str) -> Iterator[str]:
    """The line with each of its characters left open in turn: lines that differ in one place share one of these."""
    for i in range(len(line)):
        yield line[:i] + ANY + line[i + 1 :]


class LineVariants:
    """Finds, among the poems put in so far, those of which `ALIKE_LINES` lines or more are nearly lines of another."""

    def __init__(self, poems: Iterable[Quatrain] = ()) -> None:
        self._owners: dict[str, list[int]] = defaultdict(list)
        self._count = 0
        for poem in poems:
            self.add(poem)

    def add(self, poem: Quatrain) -> None:
        for pattern in {pattern for line in poem.lines for pattern in patterns(line)}:
            self._owners[pattern].append(self._count)
        self._count += 1

    def holds(self, poem: Quatrain) -> bool:
        """True if one of the poems is so much like this one."""
        alike: Counter[int] = Counter()
        for line in set(poem.lines):
            alike.update({owner for pattern in patterns(line) for owner in self._owners.get(pattern, ())})
        return any(lines >= ALIKE_LINES for lines in alike.values())


def without_variants(poems: Iterable[Quatrain]) -> list[Quatrain]:
    """`poems` without those that are much like an earlier one."""
    seen, kept = LineVariants(), []
    for poem in poems:
        if not seen.holds(poem):
            seen.add(poem)
            kept.append(poem)
    return kept


def without_variants_of(poems: Iterable[Quatrain], held_out: Iterable[Quatrain]) -> list[Quatrain]:
    """`poems` without those that are much like one of `held_out`."""
    seen = LineVariants(held_out)
    return [poem for poem in poems if not seen.holds(poem)]


def split_poems(poems: Sequence[Quatrain], held_out: int, seed: int = 0) -> tuple[list[Quatrain], list[Quatrain]]:
    """(training poems, `held_out` others): none of the one is much like one of the other."""
    shuffled = random.Random(seed).sample(poems, len(poems))
    return without_variants_of(shuffled[held_out:], shuffled[:held_out]), shuffled[:held_out]
