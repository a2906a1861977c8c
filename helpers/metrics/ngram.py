"""A trigram of characters: a model that only counts, beside which a perplexity can be read.

Interpolated as by Witten and Bell (1991), by NLTK. It reads no keywords.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from nltk.lm import Vocabulary, WittenBellInterpolated
from nltk.util import everygrams

ORDER = 3
START, END = "<s>", "</s>"


def line_tokens(lines: Sequence[str]) -> list[str]:
    """Characters with an end after each line, as the T5 has them, and two starts for the first character's context."""
    return [START] * (ORDER - 1) + [token for line in lines for token in (*line, END)]


class Trigram:
    """Trained on poems (sequences of lines); characters that occur once count as one unknown one."""

    def __init__(self, poems: Iterable[Sequence[str]]) -> None:
        rows = [line_tokens(poem) for poem in poems]
        vocabulary = Vocabulary((token for row in rows for token in row), unk_cutoff=2)
        self.model = WittenBellInterpolated(ORDER, vocabulary=vocabulary)
        self.model.fit(everygrams(row, max_len=ORDER) for row in rows)

    def perplexity(self, poems: Iterable[Sequence[str]]) -> float:
        """Perplexity per Han character: the bits include the ends of lines, the number of characters does not."""
        poems = list(poems)
        bits = -sum(sum(self._scores(line_tokens(poem))) for poem in poems)
        return 2 ** (bits / sum(len("".join(poem)) for poem in poems))

    def _scores(self, row: Sequence[str]) -> Iterator[float]:
        """log2 p of each token but the starts."""
        context = ORDER - 1
        return (self.model.logscore(row[i], row[i - context : i]) for i in range(context, len(row)))
