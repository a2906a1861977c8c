"""A tokenizer's tokens as verse sees them: their characters, tones, rhymes, computed once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise, zip_longest
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from helpers.characters import is_han, usual_forms
from helpers.verse.check import doubled_characters, repeated_characters
from helpers.verse.doublings import DOUBLINGS
from helpers.verse.readings import LEVEL, OBLIQUE, Readings, enforced

MIN_RHYMES = 10  # characters of a group, at least, for a rhyme to be opened in it
NEVER = frozenset("囗鸮")  # a gap in an old edition, and the one character that the brush of the cards lacks


class VerseVocabulary(NamedTuple):
    """A tokenizer's V tokens as verse sees them; its C characters are numbered from 1, 0 means none.

    Variants of a character (櫂, 棹) share a number.
    """

    texts: tuple[str, ...]  # each token's, without SentencePiece's word mark; "" for a token that is no verse
    number: dict[str, int]  # character -> 1 ... C
    groups: dict[str, int]  # level group -> row of `rhymes`
    length: Tensor  # (V,) characters in a token; 0 for one that is no verse: special, punctuation, Latin
    chars: Tensor  # (V, M) their numbers, padded with 0
    blank: Tensor  # (V,) the bare word mark "▁", with which SentencePiece opens a text
    restless: Tensor  # (V,) tokens that repeat a character by themselves, as no poet does
    doubles: Tensor  # (V,) tokens that say a character twice running (悠悠)
    can_be: Tensor  # (C + 1, 2) whether a character can be level, can be oblique; row 0 can be both
    token_can_be: Tensor  # (V, M, 2) the same for the characters of a token, read where they stand in it
    rhymes: Tensor  # (G, C + 1) characters that rhyme in a level group
    rich: frozenset[str]  # groups with at least `MIN_RHYMES` characters
    may_double: Tensor  # (C + 1,) characters that poets say twice running
    pairs: Tensor  # (N, 2) characters beside each other in which another reading is meant,
    pair_tones: Tensor  # (N, 2, 2) and what these can be then: level, oblique
    single: Tensor  # (C + 1,) the token that is this character alone, or -1


@lru_cache(maxsize=4)
def verse_vocabulary(tokenizer: PreTrainedTokenizerBase) -> VerseVocabulary:
    """All tokens of a tokenizer; computed once for each."""
    readings = enforced()
    pieces = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    special = set(tokenizer.all_special_tokens)
    texts = ["" if piece is None or piece in special else piece.removeprefix("▁") for piece in pieces]
    texts = [text if all(map(is_han, text)) and not NEVER & set(text) else "" for text in texts]
    usual = {char: usual_forms(char) for char in sorted(set("".join(texts)))}
    rank = {char: i for i, char in enumerate(sorted(set(usual.values())), 1)}
    number = {char: rank[form] for char, form in usual.items()}
    size = len(rank) + 1
    groups = sorted(set().union(*(readings.groups(char, LEVEL) for char in rank)))
    rhymes = torch.zeros(len(groups), size, dtype=torch.bool)
    can_be = torch.ones(size, 2, dtype=torch.bool)
    single = torch.full((size,), -1)
    for char, i in rank.items():
        rhymes[[groups.index(group) for group in readings.groups(char, LEVEL)], i] = True
        can_be[i] = _possible(readings.tones(char))
    for token, text in enumerate(texts):
        if len(text) == 1:
            single[number[text]] = token
    known = [word for word in readings.contexts if set(word) <= set(number)]
    chars = padded([[number[char] for char in text] for text in texts])
    token_can_be = can_be[chars]
    for token, text in enumerate(texts):
        if any(pair in readings.contexts for pair in map("".join, pairwise(text))):
            token_can_be[token, : len(text)] = torch.stack([_possible(tones) for tones in readings.line_tones(text)])
    pair_tones = [_pair_possible(word, readings) for word in known]
    return VerseVocabulary(
        texts=tuple(texts),
        number=number,
        groups={group: row for row, group in enumerate(groups)},
        length=torch.tensor([len(text) for text in texts]),
        chars=chars,
        blank=torch.tensor([piece == "▁" for piece in pieces]),
        restless=torch.tensor([_is_restless(text) for text in texts]),
        doubles=torch.tensor([bool(doubled_characters([text])) for text in texts]),
        can_be=can_be,
        token_can_be=token_can_be,
        rhymes=rhymes,
        rich=frozenset(group for group, row in zip(groups, rhymes, strict=True) if row.sum() >= MIN_RHYMES),
        may_double=torch.tensor([False, *(char in DOUBLINGS for char in rank)]),
        pairs=torch.tensor([[number[char] for char in word] for word in known], dtype=torch.long).reshape(-1, 2),
        pair_tones=torch.stack(pair_tones) if known else torch.zeros(0, 2, 2, dtype=torch.bool),
        single=single,
    )


def _is_restless(text: str) -> bool:
    """True for a token that says a character again, but for one doubling that poets know."""
    doubled = doubled_characters([text])
    return bool(repeated_characters([text])) or len(doubled) > 1 or not DOUBLINGS.issuperset(doubled)


def _possible(tones: frozenset[str]) -> Tensor:
    """(2,) can be level, can be oblique."""
    return torch.tensor([LEVEL in tones, OBLIQUE in tones])


def _pair_possible(word: str, readings: Readings) -> Tensor:
    """(2, 2) for each of the two characters."""
    return torch.stack([_possible(tones) for tones in readings.line_tones(word)])


def padded(rows: Sequence[Sequence[int]]) -> Tensor:
    """Rows of numbers as one tensor (rows, longest), with zeros on the right."""
    return torch.tensor(list(zip_longest(*rows, fillvalue=0)), dtype=torch.long).reshape(-1, len(rows)).T


@lru_cache(maxsize=4096)
def continuations(tokenizer: PreTrainedTokenizerBase, word: str) -> tuple[tuple[int, ...], ...]:
    """For each number of characters of a word that stand: the tokens that go on with it.

    Empty for a word that the tokens cannot spell to its end.
    """
    texts = verse_vocabulary(tokenizer).texts
    rests = [word[begun:] for begun in range(len(word))]
    tokens = {text: token for token, text in enumerate(texts) if text and text in word}
    found = [tuple(i for text, i in tokens.items() if rest.startswith(text)) for rest in rests]
    spelt = {len(word)}
    for begun in reversed(range(len(word))):  # from where can its end be reached?
        found[begun] = tuple(i for i in found[begun] if begun + len(texts[i]) in spelt)
        if found[begun]:
            spelt.add(begun)
    return tuple(found) if 0 in spelt else ()
