"""The rules of a quatrain for a line that is still being written: may a word stand here?

The constraints (`helpers.verse.constraint`, `helpers.verse.tone_constraint`) forbid single tokens. A word of two tokens
can pass with its first and fail with its second, and leaves half a word behind: to place a whole word, ask here before
its first token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from helpers.verse.check import ANY, in_tonal_order, repeated_characters
from helpers.verse.rhymes import level_groups, level_rhymes, tones


@dataclass(frozen=True)
class VerseRules:
    """The rules for the lines of a poem; the same switches as in `helpers.options.PoemOptions`."""

    line_length: int
    rhyme: bool = True
    no_repeat: bool = True
    tone: bool = True

    def admit(self, earlier: Sequence[str], line: str, firsts: str = "平仄") -> bool:
        """True if `line`, finished or not, can follow the `earlier` lines (at most three); ？ is any character.

        `firsts`: the tones that character 2 of line 1 may have, which settle the order of all others.
        """
        poem = [*earlier, line]
        return (
            len(line) <= self.line_length
            and not (self.no_repeat and repeated_characters(poem))
            and not (self.tone and not any(in_tonal_order(poem, first) for first in firsts))
            and not (self.rhyme and len(line) == self.line_length and not may_end(earlier, line[-1]))
        )

    def gaps(self, earlier: Sequence[str], line: str, word: str, first: str) -> list[int]:
        """The numbers k of further characters after which `word` can follow `line`.

        `admit` takes line + k times ？ + word. `first`: the tone of character 2 of line 1. Rules that do not depend on
        k are asked once.
        """
        left = self.line_length - len(line) - len(word)
        if left < 0 or (self.tone and not in_tonal_order([*earlier, line], first)):
            return []
        before = [""] * len(earlier)  # they are in order
        fresh = [not (self.no_repeat and repeated_characters([*earlier, line + gap + word])) for gap in ("", ANY)]
        return [
            k
            for k in range(left + 1)
            if fresh[k > 0]
            and (not self.tone or in_tonal_order([*before, ANY * (len(line) + k) + word], first))
            and not (self.rhyme and k == left and not may_end(earlier, word[-1]))
        ]


def may_end(earlier: Sequence[str], char: str) -> bool:
    """True if `char` can end the line behind `earlier`: 2 a level rhyme, 3 oblique, 4 rhyming with 2, 1 anything."""
    if len(earlier) == 1:
        return bool(level_groups(char))
    if len(earlier) == 2:
        return tones(char) == {"仄"}
    if len(earlier) == 3:
        rhyme = earlier[1][-1:]
        return char != rhyme and bool(level_groups(char) & (level_groups(rhyme) or level_rhymes(rhyme)))
    return True
