"""What a line must contain, on request: a given word anywhere, a given character at its head (藏头诗, an acrostic).

Lexically constrained decoding (Hokamp and Liu 2017) in its simplest form: the model is free as long as the word still
fits behind what comes next, and loses its choice at the last place where it does.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import LogitsProcessor, PreTrainedTokenizerBase

from helpers.verse import verse_vocabulary
from helpers.verse_rules import VerseRules
from helpers.word_tokens import spell, tokens_begun

ANY = "？"


class KeywordConstraint(LogitsProcessor):
    """Makes the line of each of P prompts hold its word; row b of B = k·P rows belongs to prompt b // k.

    A word that the `rules` admit nowhere in the line, or that the tokenizer cannot spell, is let go; so is one whose
    next token has been forbidden by the processors before this one: it comes last.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        words: Sequence[str | None],
        earlier: Sequence[Sequence[str]],
        rules: VerseRules,
    ) -> None:
        self.texts = verse_vocabulary(tokenizer, len(tokenizer)).texts
        self.words, self.earlier, self.rules = words, earlier, rules
        self.spelling = {word: spell(tokenizer, word) for word in set(words) - {None}}

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """input_ids (B, t), column 0 the decoder's start token; scores (B, V) -> (B, V)."""
        scores, copies = scores.clone(), len(scores) // len(self.words)
        for row, ids in enumerate(input_ids[:, 1:].tolist()):
            token = self._forced(row // copies, ids)
            if token is not None and scores[row, token].isfinite():
                kept = scores[row, token].clone()
                scores[row] = -torch.inf
                scores[row, token] = kept
        return scores

    def _forced(self, prompt: int, ids: list[int]) -> int | None:
        """The token that must come now, if there is no later chance."""
        word, earlier = self.words[prompt], self.earlier[prompt]
        line = "".join(self.texts[i] for i in ids if i < len(self.texts))
        if word is None or word in line or not self.spelling[word]:
            return None
        spelling = self.spelling[word]
        begun = tokens_begun(ids, spelling)
        rest = "".join(self.texts[i] for i in spelling[begun:])
        places = range(1, self.rules.line_length - len(line) - len(word) + 1)
        later = any(self.rules.admit(earlier, line + ANY * skipped + word) for skipped in places)
        return spelling[begun] if not later and self.rules.admit(earlier, line + rest) else None


class AcrosticConstraint(LogitsProcessor):
    """Makes the line of each of P prompts begin with a given character, whatever the other rules say of it.

    Raises ValueError for a character without a token of its own.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, heads: Sequence[str]) -> None:
        vocabulary = verse_vocabulary(tokenizer, len(tokenizer))
        self.texts, self.blank = vocabulary.texts, vocabulary.blank
        whole = {text: token for token, text in enumerate(self.texts) if len(text) == 1}
        unknown = sorted(set(heads) - set(whole))
        if unknown:
            raise ValueError(f"no line can begin with {'、'.join(unknown)}: the poem model does not know the character")
        begins = torch.tensor([[text[:1] == head for text in self.texts] for head in heads])  # (P, V)
        self.wanted, self.whole = begins, torch.tensor([whole[head] for head in heads])  # (P, V) and (P,)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """input_ids (B, t), column 0 the decoder's start token; scores (B, W), W >= V -> (B, W)."""
        size, copies = len(self.texts), len(scores) // len(self.wanted)
        begun = torch.tensor([any(self.texts[i] for i in row if i < size) for row in input_ids[:, 1:].tolist()])
        wanted = torch.nn.functional.pad(self.wanted, (0, scores.shape[1] - size)).repeat_interleave(copies, 0)
        wanted = wanted.to(scores.device)  # (B, W)
        only = scores.masked_fill(~wanted, -torch.inf)
        stuck = only.isneginf().all(1)  # all that begin so were forbidden: the character by itself, then
        whole = self.whole.repeat_interleave(copies).to(scores.device)
        only[stuck, whole[stuck]] = 0.0
        return torch.where(begun.to(scores.device)[:, None], scores, only)
