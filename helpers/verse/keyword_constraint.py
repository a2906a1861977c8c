"""Wishes that a line must meet: a given word anywhere, a given character at its head (藏头诗, an acrostic).

Lexically constrained decoding (Hokamp and Liu 2017) in its simplest form: the model is free as long as the word still
fits behind what comes next, and loses its choice at the last place where it does.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import LogitsProcessor, PreTrainedTokenizerBase

from helpers.verse.rules import VerseRules
from helpers.verse.tone_constraint import TONES, ToneConstraint
from helpers.verse.vocabulary import spell, tokens_begun, verse_vocabulary


class KeywordConstraint(LogitsProcessor):
    """Makes the line of each of P prompts hold its word; row b of B = k·P rows belongs to prompt b // k.

    `words` are those of this line, None for a line without; `later_words` those of the lines after it, whose
    characters have to wait for them where no character may come twice. Comes behind the rules of verse. A word is let
    go if the `rules` admit it nowhere in the line, if the tokenizer cannot spell it, or if the processors before leave
    nothing of it.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        words: Sequence[str | None],
        later_words: Sequence[Sequence[str]],
        earlier: Sequence[Sequence[str]],
        rules: VerseRules,
    ) -> None:
        self.vocabulary = verse_vocabulary(tokenizer, len(tokenizer))
        self.words, self.earlier, self.rules = words, earlier, rules
        self.spelling = {word: spell(tokenizer, word) for word in set(words) - {None}}
        self.tones = ToneConstraint(tokenizer, rules.line_length, earlier) if rules.tone else None
        needed = ["".join([word or "", *later]) for word, later in zip(words, later_words, strict=True)]
        self.needed = [self._tokens_with(chars if rules.no_repeat else "") for chars in needed]  # P times (V,)

    def _tokens_with(self, chars: str) -> Tensor:
        """(V,) the tokens that hold one of these characters."""
        v = self.vocabulary
        found = torch.zeros(len(v.length), dtype=torch.bool)
        for number in {v.number[char] for char in chars if char in v.number}:
            found[v.tokens[v.starts[number] : v.starts[number + 1]]] = True
        return found

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """input_ids (B, t), column 0 the decoder's start token; scores (B, W), W >= V -> (B, W)."""
        size, copies = len(self.vocabulary.length), len(scores) // len(self.words)
        allowed = torch.stack([self._allowed(row // copies, ids) for row, ids in enumerate(input_ids[:, 1:].tolist())])
        allowed = torch.nn.functional.pad(allowed, (0, scores.shape[1] - size)).to(scores.device)  # (B, W)
        masked = scores.masked_fill(~allowed, -torch.inf)
        stuck = masked.isneginf().all(1, keepdim=True)  # (B, 1)
        return torch.where(stuck, scores, masked)

    def _allowed(self, prompt: int, ids: list[int]) -> Tensor:
        """(V,) the tokens after which the word can still come, or with which it does."""
        v, word, earlier = self.vocabulary, self.words[prompt], self.earlier[prompt]
        line = "".join(v.texts[i] for i in ids if i < len(v.texts))
        others = ~self.needed[prompt]  # tokens that neither this word nor a later one needs
        spelling = self.spelling.get(word, [])
        if not spelling or word in line:
            return others
        begun = tokens_begun(ids, spelling)
        rest = "".join(v.texts[i] for i in spelling[begun:])
        allowed = others & self._leaves_room(prompt, line, word)
        allowed[spelling[begun]] = self.rules.admit(earlier, line + rest)
        # A bare word mark is no character: every token that may come now may also come after it.
        return allowed | v.blank if allowed.any() else others

    def _leaves_room(self, prompt: int, line: str, word: str) -> Tensor:
        """(V,) the tokens behind which the rules admit the whole word somewhere, for one of the orders of tones."""
        earlier, left = self.earlier[prompt], self.rules.line_length - len(line)
        length = self.vocabulary.length.clamp(max=self.rules.line_length)
        room = torch.zeros(len(length), dtype=torch.bool)
        for i, first in enumerate(TONES):
            skipped = self.rules.gaps(earlier, line, word, first)
            if not skipped:
                continue
            fits = self.tones.fits[self.tones.line_tones[prompt, i], left] if self.tones else True
            room |= fits & (length > 0) & (length <= max(skipped))
        return room


class AcrosticConstraint(LogitsProcessor):
    """Makes every line begin with the character `head`, whatever the other rules say of it.

    Raises ValueError for a character without a token of its own.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, head: str) -> None:
        self.texts = verse_vocabulary(tokenizer, len(tokenizer)).texts
        if head not in self.texts:
            raise ValueError(f"no line can begin with {head!r}: the poem model does not know the character")
        self.whole = self.texts.index(head)
        self.wanted = torch.tensor([text[:1] == head for text in self.texts])  # (V,)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """input_ids (B, t), column 0 the decoder's start token; scores (B, W), W >= V -> (B, W)."""
        size, device = len(self.texts), scores.device
        begun = [any(self.texts[i] for i in row if i < size) for row in input_ids[:, 1:].tolist()]
        wanted = torch.nn.functional.pad(self.wanted, (0, scores.shape[1] - size)).to(device)  # (W,)
        only = scores.masked_fill(~wanted, -torch.inf)
        # A row in which all tokens with this beginning were forbidden gets the character by itself.
        only[only.isneginf().all(1), self.whole] = 0.0
        return torch.where(torch.tensor(begun, device=device)[:, None], scores, only)
