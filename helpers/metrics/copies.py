"""Copies: the parts of a poem that stand, word for word, in the poems a model was trained on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence


class TrainingText:
    """The lines of a corpus, in which any piece of a line can be looked up: some 3 KB of memory a line."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.lines = set(lines)
        self._pieces = {piece for line in self.lines for piece in pieces(line)}

    def longest_copy(self, line: str) -> str:
        """The longest piece of `line` that stands within one line of the corpus; the first of several."""
        return next((piece for piece in pieces(line) if piece in self._pieces), "")

    def copied_lines(self, poems: Iterable[Sequence[str]]) -> float:
        """The share of lines that stand, whole, in the corpus."""
        found = [line in self.lines for poem in poems for line in poem]
        return sum(found) / len(found)

    def copied_poems(self, poems: Iterable[Sequence[str]], lines: int = 2) -> float:
        """The share of poems with `lines` or more copied lines: two are no coincidence (`helpers.poems.splits`)."""
        found = [sum(line in self.lines for line in poem) >= lines for poem in poems]
        return sum(found) / len(found)

    def copy_lengths(self, poems: Iterable[Sequence[str]]) -> Counter[int]:
        """The number of lines that have a longest copied piece of 0, 1, 2 ... characters."""
        return Counter(len(self.longest_copy(line)) for poem in poems for line in poem)


def pieces(line: str) -> Iterator[str]:
    """All pieces of a line, the longest first."""
    for size in range(len(line), 0, -1):
        for start in range(len(line) - size + 1):
            yield line[start : start + size]
