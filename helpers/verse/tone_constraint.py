"""The order of level and oblique tones (平仄) while a quatrain is written (`helpers.verse.check.in_tonal_order`).

The tone of one character settles those of all even places (王力《诗词格律》, chapter 2), which leaves the four standard
forms: two tones to begin with, each with or without a rhyme in line 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor
from transformers import LogitsProcessor, PreTrainedTokenizerBase

from helpers.verse.check import in_tonal_order, tone_at
from helpers.verse.rhymes import tones
from helpers.verse.vocabulary import verse_vocabulary

TONES = "平仄"


class ToneConstraint(LogitsProcessor):
    """Keeps characters 2, 4 and 6 of each generated line in the order of tones that the poem has begun.

    As in `helpers.verse.check`, a character that can be both tones fits both, and one that no table knows passes.
    Comes behind `VerseConstraint`, whose line length and `earlier` it shares. A row in which no token that is left
    fits, or whose earlier lines have no order, stays as it is.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, line_length: int, earlier: Sequence[Sequence[str]]) -> None:
        self.vocabulary = verse_vocabulary(tokenizer, len(tokenizer))
        self.line_length, self.chars = line_length, self.vocabulary.chars  # (V, M)
        self.can_be = tones_of_characters(tokenizer)  # (C + 1, 2)
        self.fits = torch.stack([self._fits(tone) for tone in (0, 1)])  # (2, line_length + 1, V)
        self.begun = torch.tensor([[in_tonal_order(poem, first) for first in TONES] for poem in earlier])  # (P, 2)
        line_tones = [[TONES.index(tone_at(first, len(poem), 1)) for first in TONES] for poem in earlier]
        self.line_tones = torch.tensor(line_tones)  # (P, 2): of this line's second character, by that of line 1

    def _fits(self, tone: int) -> Tensor:
        """(line_length + 1, V); row r: the tokens that may come when r characters of a line of this tone are missing.

        The tone of a line (0 level, 1 oblique) is that of its second character.
        """
        chars = self.vocabulary.chars  # (V, M)
        place = self.line_length - torch.arange(self.line_length + 1)[:, None, None] + torch.arange(chars.shape[1])
        return self._in_order(chars[None], place, tone).all(-1)  # (line_length + 1, V, M) -> (line_length + 1, V)

    def _in_order(self, chars: Tensor, place: Tensor, tone: int | Tensor) -> Tensor:
        """True where a numbered character may stand at its place (from 0) in a line of this tone; shapes broadcast."""
        wanted = torch.where(place % 4 == 1, tone, 1 - tone)
        return (place % 2 == 0) | self.can_be[chars, wanted]

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """input_ids (B, t), column 0 the decoder's start token; scores (B, W), W >= V -> (B, W)."""
        device, size = scores.device, len(self.vocabulary.length)
        for name in ("can_be", "fits", "begun", "line_tones", "chars"):
            setattr(self, name, getattr(self, name).to(device))  # does nothing where they are there already
        prompt = torch.arange(len(self.begun), device=device).repeat_interleave(len(scores) // len(self.begun))  # (B,)
        line = self.chars[input_ids[:, 1:].clamp(max=size - 1)].flatten(1)  # (B, (t - 1)·M)
        place = (line > 0).cumsum(1) - 1  # (B, (t - 1)·M) of each character in the line
        left = (self.line_length - (line > 0).sum(1)).clamp(min=0)  # (B,)
        allowed = torch.zeros(len(scores), size, dtype=torch.bool, device=device)
        for first in (0, 1):
            tone = self.line_tones[prompt, first]  # (B,)
            open_still = self.begun[prompt, first] & self._in_order(line, place, tone[:, None]).all(1)
            allowed |= open_still[:, None] & self.fits[tone, left]
        masked = scores.clone()
        masked[:, :size].masked_fill_(~allowed, -torch.inf)
        stuck = masked[:, :size].isneginf().all(1, keepdim=True)  # (B, 1)
        return torch.where(stuck, scores, masked) if stuck.any() else masked


@lru_cache(maxsize=4)
def tones_of_characters(tokenizer: PreTrainedTokenizerBase) -> Tensor:
    """(C + 1, 2) booleans for each numbered character: can be level, can be oblique; row 0 is no character."""
    number = verse_vocabulary(tokenizer, len(tokenizer)).number
    known = [tones(char) or set(TONES) for char in number]
    return torch.tensor([[True, True], *([tone in own for tone in TONES] for own in known)])
