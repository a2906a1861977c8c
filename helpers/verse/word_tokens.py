"""A word as a tokenizer spells it, and how much of it a line has begun."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from transformers import PreTrainedTokenizerBase

from helpers.verse.constraint import verse_vocabulary


@lru_cache(maxsize=65536)
def spell(tokenizer: PreTrainedTokenizerBase, word: str) -> tuple[int, ...]:
    """The tokens of a word, without SentencePiece's bare ▁; none for a word that verse cannot hold."""
    texts = verse_vocabulary(tokenizer, len(tokenizer)).texts
    ids = tuple(i for i in tokenizer(word, add_special_tokens=False)["input_ids"] if texts[i])
    return ids if "".join(texts[i] for i in ids) == word else ()


def tokens_begun(ids: Sequence[int], spelling: Sequence[int]) -> int:
    """How many tokens of a word, not all, stand at the end of a line."""
    return next((n for n in range(len(spelling) - 1, 0, -1) if tuple(ids[-n:]) == tuple(spelling[:n])), 0)
