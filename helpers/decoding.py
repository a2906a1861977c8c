"""A nudge towards the keywords while a line is written: weighted decoding (Ghazvininejad et al. 2017, Hafez).

A small model mentions few of the words it was given. Adding a bonus to the scores of their tokens makes it mention
more, at some cost in fluency; the bonus leaves hard constraints alone, since nothing added to -inf makes it finite.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import LogitsProcessor, PreTrainedTokenizerBase

CONTINUE = 6.0  # nats for the rest of a keyword once it has begun: half a word is no word


class KeywordBonus(LogitsProcessor):
    """Adds `bonus` nats to the first token of every keyword that is due, and more to the rest of one begun.

    Row b continues the poem `earlier[b]` for the keywords `keyword_sets[b]`. The keywords are spread over the poem:
    after line i of four, i/4 of them are due (rounded up), so that the first line does not take them all. A keyword
    that stands in the poem already gets no bonus, nor does one for which the line has no room left.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        keyword_sets: Sequence[Sequence[str]],
        earlier: Sequence[Sequence[str]],
        line_length: int,
        bonus: float,
    ) -> None:
        words = dict.fromkeys(word for row in keyword_sets for word in row)
        ids = {word: tokenizer(word, add_special_tokens=False)["input_ids"] for word in words}
        texts = {i: tokenizer.convert_ids_to_tokens(i).lstrip("▁") for row in ids.values() for i in row}
        spell = {word: [i for i in row if texts[i]] for word, row in ids.items()}  # without SentencePiece's bare ▁
        self.width = {i: len(text) for i, text in texts.items()}  # characters of a token; others have one or more
        self.line_length, self.bonus = line_length, bonus
        self.pending: list[list[list[int]]] = []  # for each row the token ids of the keywords not yet used
        self.due: list[int] = []  # for each row how many of these may come in this line
        for keywords, lines in zip(keyword_sets, earlier, strict=True):
            unused = [word for word in keywords if not any(word in line for line in lines)]
            wanted = -(-len(keywords) * (len(lines) + 1) // 4)  # rounded up
            self.pending.append([spell[word] for word in unused])
            self.due.append(max(0, wanted - (len(keywords) - len(unused))))

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """(B, t), (B, V) -> (B, V); column 0 of `input_ids` is the decoder's start token."""
        rows, tokens, amounts = [], [], []
        for row, line in enumerate(input_ids[:, 1:].tolist()):
            for token, amount in self._bonuses(line, self.pending[row], self.due[row]).items():
                rows.append(row)
                tokens.append(token)
                amounts.append(amount)
        if not rows:
            return scores
        scores = scores.clone()
        scores[rows, tokens] += torch.tensor(amounts, dtype=scores.dtype, device=scores.device)
        return scores

    def _bonuses(self, line: list[int], pending: list[list[int]], due: int) -> dict[int, float]:
        """Token -> bonus for the next place of one line."""
        fresh = [word for word in pending if not contains(line, word)]
        if len(pending) - len(fresh) >= due:
            return {}
        written = sum(self.width.get(token, 1) for token in line)
        bonuses = {}
        for word in fresh:
            begun = next((n for n in range(len(word) - 1, 0, -1) if line[-n:] == word[:n]), 0)
            if written + sum(self.width[token] for token in word[begun:]) <= self.line_length:
                token, amount = word[begun], CONTINUE if begun else self.bonus
                bonuses[token] = max(amount, bonuses.get(token, 0.0))
        return bonuses


def contains(line: list[int], word: list[int]) -> bool:
    """Whether the tokens of `word` stand in `line`, side by side."""
    return any(line[i : i + len(word)] == word for i in range(len(line) - len(word) + 1))
