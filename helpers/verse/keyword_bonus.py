"""A nudge towards the keywords while a line is written: weighted decoding (Ghazvininejad et al. 2017, Hafez).

The rules of verse shut out many of the words that a poem was asked for, and a small model forgets some. A bonus on the
scores of their tokens brings them in; it leaves hard constraints alone, since nothing added to -inf makes it finite.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import LogitsProcessor, PreTrainedTokenizerBase

from helpers.verse.rules import VerseRules
from helpers.verse.vocabulary import spell, tokens_begun, verse_vocabulary

CONTINUE = 6.0  # nats for the rest of a keyword once it has begun: half a word is no word


class KeywordBonus(LogitsProcessor):
    """Adds `bonus` nats to the first token of every keyword that is due, and more to the rest of one begun.

    For each of P prompts, `earlier` holds the lines so far and `keyword_sets` the keywords; row b of a batch of
    B = k·P rows continues prompt b // k. The keywords are spread over the poem: after line i of four, i/4 of them are
    due (rounded up), so that the first line does not take them all. A keyword that stands in the poem already gets no
    bonus, nor does one that the `rules` do not admit, whole, at this place.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        keyword_sets: Sequence[Sequence[str]],
        earlier: Sequence[Sequence[str]],
        rules: VerseRules,
        bonus: float,
    ) -> None:
        self.texts = verse_vocabulary(tokenizer, len(tokenizer)).texts
        self.earlier, self.rules, self.bonus = earlier, rules, bonus
        words = dict.fromkeys(word for row in keyword_sets for word in row)
        self.spelling = {word: spell(tokenizer, word) for word in words}
        self.pending: list[list[str]] = []  # the unused keywords of each prompt
        self.due: list[int] = []  # the number of these, for each prompt, that may come in this line
        for keywords, lines in zip(keyword_sets, earlier, strict=True):
            unused = [word for word in keywords if not any(word in line for line in lines)]
            wanted = -(-len(keywords) * (len(lines) + 1) // 4)  # rounded up
            self.pending.append([word for word in unused if self.spelling[word]])
            self.due.append(max(0, wanted - (len(keywords) - len(unused))))

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """input_ids (B, t), column 0 the decoder's start token; scores (B, V) -> (B, V)."""
        rows, tokens, amounts = [], [], []
        copies = len(scores) // len(self.pending)
        for row, line in enumerate(input_ids[:, 1:].tolist()):
            for token, amount in self._bonuses(row // copies, line).items():
                rows.append(row)
                tokens.append(token)
                amounts.append(amount)
        if not rows:
            return scores
        scores = scores.clone()
        scores[rows, tokens] += torch.tensor(amounts, dtype=scores.dtype, device=scores.device)
        return scores

    def _bonuses(self, prompt: int, ids: list[int]) -> dict[int, float]:
        """Token -> bonus for the next place of one line, of which `ids` are written."""
        line = "".join(self.texts[i] for i in ids if i < len(self.texts))
        fresh = [word for word in self.pending[prompt] if word not in line]
        if len(self.pending[prompt]) - len(fresh) >= self.due[prompt]:
            return {}
        bonuses: dict[int, float] = {}
        for word in fresh:
            spelling = self.spelling[word]
            begun = tokens_begun(ids, spelling)
            rest = "".join(self.texts[i] for i in spelling[begun:])
            if self.rules.admit(self.earlier[prompt], line + rest):
                token, amount = spelling[begun], max(CONTINUE, self.bonus) if begun else self.bonus
                bonuses[token] = max(amount, bonuses.get(token, 0.0))
        return bonuses
