"""The rules that a reader may switch on and off for the lines of a poem."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class VerseRules:
    """The rules of a poem; the same switches as in `helpers.options.PoemOptions`."""

    line_length: int
    rhyme: bool = True  # line 1 ends oblique or rhymes, 2 and 4 rhyme, 3 ends oblique
    no_repeat: bool = True  # no character twice, but for one that poets double (悠悠), once in a poem
    tone: bool = True  # the order of tones and the ends of lines
