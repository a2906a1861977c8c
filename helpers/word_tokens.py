"""A word as a tokenizer spells it, and how much of it a line has begun."""

from __future__ import annotations

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from helpers.verse import verse_vocabulary


def spell(tokenizer: PreTrainedTokenizerBase, word: str) -> list[int]:
    """The tokens of a word, without SentencePiece's bare ▁; none for a word that verse cannot hold."""
    texts = verse_vocabulary(tokenizer, len(tokenizer)).texts
    ids = [i for i in tokenizer(word, add_special_tokens=False)["input_ids"] if texts[i]]
    return ids if "".join(texts[i] for i in ids) == word else []


def tokens_begun(ids: Sequence[int], spelling: Sequence[int]) -> int:
    """How many tokens of a word, not all, stand at the end of a line."""
    return next((n for n in range(len(spelling) - 1, 0, -1) if ids[-n:] == spelling[:n]), 0)
