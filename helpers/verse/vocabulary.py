"""A tokenizer's tokens as verse sees them: tables of lengths, characters, rhymes, computed once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import zip_longest
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from helpers.characters import is_han
from helpers.verse.check import repeated_characters
from helpers.verse.rhymes import tones, usual_readings


class VerseVocabulary(NamedTuple):
    """A tokenizer's V tokens as verse sees them; its C Han characters are numbered from 1, 0 means none."""

    texts: tuple[str, ...]  # each token's, without SentencePiece's word mark; "" for a token that is no verse
    number: dict[str, int]  # character -> 1 ... C
    groups: dict[str, int]  # level group -> row of `level`
    length: Tensor  # (V,) characters in a token; 0 for one that is no verse: special, punctuation, Latin
    chars: Tensor  # (V, M) their numbers, padded with 0
    blank: Tensor  # (V,) the bare word mark "▁", with which SentencePiece opens a text
    restless: Tensor  # (V,) tokens that repeat a character by themselves
    level: Tensor  # (G, V) tokens whose last character usually rhymes in this group
    oblique: Tensor  # (V,) tokens whose last character is never level
    starts: Tensor  # (2C + 3,) tokens[starts[k] : starts[k + 1]] are those that contain character k,
    tokens: Tensor  # (N,) or, for k = C + 1 + c, those that contain c behind their first character


@lru_cache(maxsize=4)
def verse_vocabulary(tokenizer: PreTrainedTokenizerBase, size: int) -> VerseVocabulary:
    """The first `size` tokens of a tokenizer; computed once for each."""
    pieces = tokenizer.convert_ids_to_tokens(range(size))
    special = set(tokenizer.all_special_tokens)
    texts = ["" if piece is None or piece in special else piece.removeprefix("▁") for piece in pieces]
    texts = [text if all(map(is_han, text)) else "" for text in texts]
    number = {char: i for i, char in enumerate(sorted(set("".join(texts))), 1)}
    inner = len(number) + 1
    numbers = [[number[char] for char in text] for text in texts]
    contain = {(n, token) for token, row in enumerate(numbers) for n in row}
    contain |= {(inner + n, token) for token, row in enumerate(numbers) for n in row[1:]}
    pairs = torch.tensor(sorted(contain), dtype=torch.long).reshape(-1, 2)
    usual = [{group for tone, group in usual_readings(text[-1:]) if tone == "平"} for text in texts]
    groups = {group: row for row, group in enumerate(sorted(set().union(*usual)))}
    return VerseVocabulary(
        texts=tuple(texts),
        number=number,
        groups=groups,
        length=torch.tensor([len(text) for text in texts]),
        chars=padded(numbers),
        blank=torch.tensor([piece == "▁" for piece in pieces]),
        restless=torch.tensor([bool(repeated_characters([text])) for text in texts]),
        level=torch.tensor([[group in own for own in usual] for group in groups] or [[False] * size]),
        oblique=torch.tensor([tones(text[-1:]) == {"仄"} for text in texts]),
        starts=torch.bincount(pairs[:, 0] + 1, minlength=2 * inner + 1).cumsum(0),
        tokens=pairs[:, 1].contiguous(),
    )


def padded(rows: Sequence[Sequence[int]]) -> Tensor:
    """Rows of numbers as one tensor (rows, longest), with zeros on the right."""
    return torch.tensor(list(zip_longest(*rows, fillvalue=0)), dtype=torch.long).reshape(-1, len(rows)).T


@lru_cache(maxsize=65536)
def spell(tokenizer: PreTrainedTokenizerBase, word: str) -> tuple[int, ...]:
    """The tokens of a word, without SentencePiece's bare ▁; none for a word that verse cannot hold."""
    texts = verse_vocabulary(tokenizer, len(tokenizer)).texts
    ids = tuple(i for i in tokenizer(word, add_special_tokens=False)["input_ids"] if texts[i])
    return ids if "".join(texts[i] for i in ids) == word else ()


def tokens_begun(ids: Sequence[int], spelling: Sequence[int]) -> int:
    """The number of tokens of a word, not all of them, that stand at the end of a line."""
    return next((n for n in range(len(spelling) - 1, 0, -1) if tuple(ids[-n:]) == tuple(spelling[:n])), 0)
