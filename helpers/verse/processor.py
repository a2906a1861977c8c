"""The rules of verse while lines are written: which tokens may come next, for a whole batch at a time.

A line's order of tones is one of a few dozen patterns (`helpers.verse.patterns`). At each step those that still agree
with what stands are alive, and a token may come if it agrees with one of them: two small products of matrices. A word
that the line must hold is placed in the same way: the model is free as long as the word fits behind what comes next in
a pattern that is alive, and loses its choice at the last place where it does (lexically constrained decoding, Hokamp
and Liu 2017).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import LogitsProcessor, PreTrainedTokenizerBase

from helpers.verse.check import doubled_characters
from helpers.verse.patterns import LEVEL, OBLIQUE, licence, neighbours, patterns_to_write, tone_at, word_starts
from helpers.verse.readings import enforced
from helpers.verse.rules import VerseRules
from helpers.verse.vocabulary import VerseVocabulary, continuations, padded, verse_vocabulary

UNKNOWN, REPEATED, NO_PLACE = "unknown character", "repeats a character", "the rules leave it no place"


class VerseProcessor(LogitsProcessor):
    """Makes each generated line keep the rules, hold its word, begin with its character, and then end.

    Row b of a batch of B = k·P rows continues prompt b // k, which is how generate lays out beams and return sequences.
    Where no token meets all wishes, the word gives way first, then no_repeat, then tones and rhyme, never the length.
    Give generate max_new_tokens >= line_length + 2: SentencePiece may open with a bare "▁", and the end counts.

    Args:
        tokenizer: one character a token, or several (SentencePiece).
        earlier: for each of P prompts the lines written before, at most three.
        words: for each prompt the word that its line must hold, or None.
        later: for each prompt the words of the lines after it, whose characters have to wait for them.
        head: the character that all lines begin with, whatever the other rules say (藏头诗).
        later_heads: those of the lines after them.
        listed: for each prompt whether lines enough begin with their word: this one's then stands elsewhere if it can.

    Attributes:
        refused: for each prompt the reason why its word was let go before the line began, or None.

    Raises:
        ValueError: a tokenizer without an end token, a length no tokens add up to, more than three lines, a `head` that
            has no token of its own.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        rules: VerseRules,
        earlier: Sequence[Sequence[str]],
        words: Sequence[str | None] | None = None,
        later: Sequence[Sequence[str]] | None = None,
        head: str = "",
        later_heads: str = "",
        listed: Sequence[bool] | None = None,
    ) -> None:
        if tokenizer.eos_token_id is None:
            raise ValueError("the tokenizer has no end token: a line could not end")
        if not earlier or max(map(len, earlier)) > 3 or len({len(lines) for lines in earlier}) > 1:
            raise ValueError("earlier needs one entry for each prompt, all of the same number of lines, at most three")
        self.rules, self.vocabulary, self.number = rules, verse_vocabulary(tokenizer), len(earlier[0])
        self.tables = line_tables(tokenizer, rules, self.number)
        self.head = first_character(tokenizer, head)
        self._read_earlier(earlier)
        words = words or [None] * len(earlier)
        self._read_words(tokenizer, words, later or [()] * len(earlier), head, later_heads)
        if listed is not None:
            elsewhere = self.fits[:, 1:].flatten(1).any(1)  # (P,)
            self.fits[torch.tensor(listed) & elsewhere, 0] = False

    def _read_earlier(self, earlier: Sequence[Sequence[str]]) -> None:
        """What the lines leave open: patterns `begun` (P, K), `ends` (P, 2, C + 1), characters `used` (P, C + 1)."""
        v = self.vocabulary
        begun = {lines: self._orders(lines) for lines in set(map(tuple, earlier))}
        self.begun = torch.stack([begun[tuple(lines)] for lines in earlier])  # (P, K)
        self.ends = self._ends(earlier)
        numbers = padded([[v.number.get(char, 0) for char in "".join(lines)] for lines in earlier])  # (P, E)
        self.used = torch.zeros(len(earlier), len(v.may_double), dtype=torch.bool).scatter_(1, numbers, True)
        self.used[:, 0] = False
        self.doubled = torch.tensor([bool(doubled_characters(lines)) for lines in earlier])  # (P,)

    def _orders(self, lines: Sequence[str]) -> Tensor:
        """(K,) the patterns of the next line in the orders of tones that the lines so far agree with, or in any."""
        options = [enforced().line_tones(line) for line in lines]
        agreeing = [
            first
            for first in LEVEL + OBLIQUE
            if all(
                tone_at(first, n, i) in line[i] or _swapped(line, first, n)
                for n, line in enumerate(options)
                for i in range(1, len(line), 2)
            )
        ]
        return self.tables.orders[[(LEVEL + OBLIQUE).index(first) for first in agreeing or LEVEL + OBLIQUE]].any(0)

    def _groups(self, lines: Sequence[str]) -> frozenset[str] | None:
        """The groups in which the next line may rhyme where it ends level; None: it may end as it likes."""
        v, book = self.vocabulary, enforced()
        if not self.rules.rhyme or self.number == 2:
            return None
        if self.number == 3:
            return frozenset(book.end_groups(lines[1], LEVEL)).intersection(v.groups) or v.rich
        if self.number == 1 and OBLIQUE not in book.line_tones(lines[0])[-1]:
            near = {near for own in book.end_groups(lines[0], LEVEL) for near in neighbours(own)}
            return v.rich & near or v.rich
        return v.rich

    def _ends(self, earlier: Sequence[Sequence[str]]) -> Tensor:
        """(P, 2, C + 1) the characters that may end the next line, where its pattern ends level, or oblique."""
        v = self.vocabulary
        groups = {_rhyming(lines): self._groups(lines) for lines in earlier}
        rhyming = {
            some: torch.ones_like(v.may_double) if some is None else v.rhymes[[v.groups[g] for g in some]].any(0)
            for some in set(groups.values())
        }
        ends = torch.ones(len(earlier), 2, len(v.may_double), dtype=torch.bool)
        ends[:, 0] = torch.stack([rhyming[groups[_rhyming(lines)]] for lines in earlier])
        if self.rules.rhyme and self.number == 3:  # not with itself
            rhymes = torch.tensor([v.number.get(lines[1][-1:], 0) for lines in earlier])
            ends[torch.arange(len(earlier)), 0, rhymes] = False
        return ends

    def _read_words(
        self,
        tokenizer: PreTrainedTokenizerBase,
        words: Sequence[str | None],
        later: Sequence[Sequence[str]],
        head: str,
        later_heads: str,
    ) -> None:
        """Each prompt's word (P, W), the tokens that go on with it (U, W, V), where it `fits` (P, L, K), what waits."""
        v, length = self.vocabulary, self.rules.line_length
        spelt = {word: continuations(tokenizer, word) for word in dict.fromkeys(words) if word}
        known = [word for word, tokens in spelt.items() if tokens and len(word) <= length]
        widest = max(map(len, known), default=1)
        self.going_on = torch.zeros(len(known) + 1, widest, len(v.length), dtype=torch.bool)  # row 0: no word
        fits = torch.zeros(len(known) + 1, length, len(self.tables.patterns), dtype=torch.bool)
        for row, word in enumerate(known, 1):
            for begun, tokens in enumerate(spelt[word]):
                self.going_on[row, begun, list(tokens)] = True
            fits[row] = self._places(word, head)
        self.which = torch.tensor([known.index(word) + 1 if word in known else 0 for word in words])  # (P,)
        self.word_length = torch.tensor([0, *map(len, known)])[self.which]  # (P,)
        table = padded([[0], *([v.number[char] for char in word] for word in known)])
        self.word_chars = table[self.which]  # (P, W)
        self.fits = fits[self.which] & self.begun[:, None]  # (P, L, K)
        clash = (self.used.gather(1, self.word_chars) & (self.word_chars > 0)).any(1)  # (P,)
        doubles = torch.tensor([bool(doubled_characters([word or ""])) for word in words])
        clash = (clash | (doubles & self.doubled)) & self.rules.no_repeat
        self.doubled |= doubles | torch.tensor(
            [bool(doubled_characters(rest)) for rest in later]
        )  # it is kept for these
        self._end_words(clash)
        placeable = self.fits.flatten(1).any(1)  # (P,)
        self.refused = [
            None if not word or fine else UNKNOWN if word not in known else REPEATED if repeats else NO_PLACE
            for word, fine, repeats in zip(words, placeable.tolist(), clash.tolist(), strict=True)
        ]
        self.which = torch.where(placeable, self.which, 0)
        waiting = [[v.number.get(char, 0) for char in "".join(rest) + later_heads] for rest in later]
        waits = torch.zeros_like(self.used).scatter_(1, padded([[0, *row] for row in waiting]), True)
        own = torch.zeros_like(self.used).scatter_(1, torch.where(self.which[:, None] > 0, self.word_chars, 0), True)
        self.waits, self.own = waits & self.rules.no_repeat, own & self.rules.no_repeat
        self.waits[:, 0] = self.own[:, 0] = False

    def _places(self, word: str, head: str) -> Tensor:
        """(L, K) whether a word that starts at a place agrees with a pattern."""
        length, tones = self.rules.line_length, enforced().line_tones(word)
        fits = torch.zeros(length, len(self.tables.patterns), dtype=torch.bool)
        for start in word_starts(len(word), length):
            if start == 0 and head and word[0] != head:
                continue
            for k, pattern in enumerate(self.tables.patterns):
                fits[start, k] = all(tone in own for tone, own in zip(pattern[start:], tones, strict=False))
        return fits

    def _end_words(self, clash: Tensor) -> None:
        """Take from `fits` places where a word would end the line against its rhyme, and all of one that clashes."""
        rows = torch.arange(len(self.which))
        last = self.word_chars[rows, (self.word_length - 1).clamp(min=0)]  # (P,)
        may_end = torch.where(self.tables.level_end, *(self.ends[rows, i, last][:, None] for i in (0, 1)))  # (P, K)
        start = (self.rules.line_length - self.word_length).clamp(max=self.rules.line_length - 1)
        self.fits[rows, start] &= may_end
        self.fits[clash] = False

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """input_ids (B, t), column 0 the decoder's start token; scores (B, W), W >= V -> (B, W)."""
        v, (rows, width) = self._on(scores.device), scores.shape
        prompts, size = len(self.begun), len(v.length)
        if rows % prompts or width < size:
            raise ValueError(f"{rows} rows for {prompts} prompts, {width} scores for {size} tokens")
        prompt = torch.arange(prompts, device=scores.device).repeat_interleave(rows // prompts)  # (B,)
        line = self._line(input_ids[:, 1:])  # (B, L)
        written = (line > 0).sum(1)  # (B,)
        allowed = self.tables.fill[self.rules.line_length - written]  # (B, V)
        if input_ids.shape[1] == 1:
            allowed = allowed | v.blank
        alive = self.begun[prompt] & self._agreeing(line)  # (B, K)
        begun, placed = self._progress(line, written, prompt)  # (B,), (B,)
        due = (self.which[prompt] > 0) & ~placed  # (B,)
        fits = self.fits[prompt] & alive[:, None]  # (B, L, K)
        here = fits.gather(1, written.clamp(max=fits.shape[1] - 1)[:, None, None].expand(-1, 1, fits.shape[2]))
        may_go_on = due & ((begun > 0) | here.flatten(1).any(1))
        of_word = self.going_on[self.which[prompt], begun] & may_go_on[:, None]  # (B, V): where it stands, it is right
        allowed = _prefer(allowed, self._in_order(alive, line, written, prompt) | of_word)
        if self.rules.no_repeat:
            allowed = _prefer(allowed, ~self._repeats(line, written, prompt) | of_word)
        waits = self.waits[prompt] | (self.own[prompt] & due[:, None])  # (B, C + 1)
        free = ~_contains(waits, v.chars)  # (B, V)
        if due.any():
            room = free & self._leaves_room(fits, written, due)
            free = torch.where(due[:, None], of_word | (room & (begun == 0)[:, None]), free)
        allowed = _prefer(allowed, free)
        if self.head:
            allowed = torch.where((written == 0)[:, None], self._heads(allowed), allowed)
        return scores.masked_fill(~torch.nn.functional.pad(allowed, (0, width - size)), -torch.inf)

    def _line(self, ids: Tensor) -> Tensor:
        """Tokens (B, t) -> the line's characters so far (B, L), 0 where none stands yet."""
        chars = self.vocabulary.chars[ids.clamp(max=len(self.vocabulary.length) - 1)].flatten(1)  # ended beams hold any
        order = (chars == 0).to(torch.uint8).argsort(stable=True, dim=1)
        chars = chars.gather(1, order)[:, : self.rules.line_length]
        return torch.nn.functional.pad(chars, (0, self.rules.line_length - chars.shape[1]))

    def _agreeing(self, line: Tensor) -> Tensor:
        """(B, L) -> (B, K) the patterns with which the characters agree that stand."""
        v = self.vocabulary
        options = v.can_be[line]  # (B, L, 2)
        pair = (line[:, :-1, None] == v.pairs[:, 0]) & (line[:, 1:, None] == v.pairs[:, 1])  # (B, L - 1, N)
        for row, place, word in pair.nonzero().tolist() if pair.any() else ():
            options[row, place : place + 2] = v.pair_tones[word]
        level, oblique = options[:, None, :, 0], options[:, None, :, 1]  # (B, 1, L)
        return torch.where(self.tables.is_level, level, oblique).all(-1)

    def _in_order(self, alive: Tensor, line: Tensor, written: Tensor, prompt: Tensor) -> Tensor:
        """(B, V) the tokens that agree with a pattern that is alive, and end the line as it must end."""
        v, tables = self.vocabulary, self.tables
        allowed = torch.zeros(len(line), len(v.length), dtype=torch.bool, device=line.device)
        last = v.chars.gather(1, (v.length - 1).clamp(min=0)[:, None])[:, 0]  # (V,)
        for place in written.unique().tolist():
            if place == self.rules.line_length:
                continue
            rows = (written == place).nonzero()[:, 0]
            living, ends = alive[rows].float(), self.ends[prompt[rows]]
            level = (living * tables.level_end) @ tables.agree[place] > 0  # (b, V)
            oblique = (living * ~tables.level_end) @ tables.agree[place] > 0
            whole = v.length == self.rules.line_length - place  # (V,)
            if whole.any():
                level, oblique = level & (~whole | ends[:, 0, last]), oblique & (~whole | ends[:, 1, last])
            allowed[rows] = level | oblique
            if place:
                allowed[rows] &= self._in_words(line[rows], prompt[rows], place)
        return allowed | (v.length == 0)

    def _in_words(self, line: Tensor, prompt: Tensor, place: int) -> Tensor:
        """(B, V) all tokens but those that make a word with the character before, in which the tones are wrong."""
        v = self.vocabulary
        fine = torch.ones(len(line), len(v.length), dtype=torch.bool, device=line.device)
        rows, words = (line[:, place - 1, None] == v.pairs[:, 0]).nonzero().unbind(1)
        if len(rows):
            fitting = (v.chars[:, 0] == v.pairs[words, 1, None]) & (v.length <= self.rules.line_length - place)
            which, tokens = fitting.nonzero().unbind(1)
            rows = rows[which]
            longer = torch.cat([line[rows, :place], v.chars[tokens]], 1)  # a token's padding fills the line up
            longer = torch.nn.functional.pad(longer, (0, self.rules.line_length))[:, : self.rules.line_length]
            fine[rows, tokens] = (self._agreeing(longer) & self.begun[prompt[rows]]).any(1)
        return fine

    def _progress(self, line: Tensor, written: Tensor, prompt: Tensor) -> tuple[Tensor, Tensor]:
        """(B,) how many characters of its word stand at the end of each line, and whether it stands in it already."""
        length, size = self.rules.line_length, self.word_length[prompt]  # (B,)
        word, widest = self.word_chars[prompt], self.word_chars.shape[1]  # (B, W)
        windows = torch.nn.functional.pad(line, (0, widest)).unfold(1, widest, 1)[:, :length]  # (B, L, W)
        same = ((windows == word[:, None]) & (word[:, None] > 0)).cumprod(2).sum(2)  # (B, L) equal from the left
        placed = (same == size[:, None]).any(1) & (size > 0)
        places = torch.arange(length, device=line.device)
        begun = torch.zeros_like(written)
        for count in range(1, widest):  # at most one of these can be, but for a word like 悠悠
            start = written - count
            found = (start >= 0) & (size > count) & (same.gather(1, start.clamp(min=0)[:, None])[:, 0] == count)
            if found.any():
                before = self._agreeing(line.masked_fill(places >= start[:, None], 0))  # (B, K) without the word
                fits = self.fits[prompt].gather(1, start.clamp(min=0)[:, None, None].expand(-1, 1, before.shape[1]))[
                    :, 0
                ]
                begun = torch.where(found & (before & fits).any(1), count, begun)
        return begun, placed

    def _leaves_room(self, fits: Tensor, written: Tensor, due: Tensor) -> Tensor:
        """(B, V) the tokens behind which the word still `fits` (B, L, K), in a pattern with which they agree."""
        v, length = self.vocabulary, self.rules.line_length
        places = torch.arange(length, device=written.device)
        room = torch.zeros(len(written), len(v.length), dtype=torch.bool, device=written.device)
        for size in range(1, v.chars.shape[1] + 1):
            later = (fits & (places[:, None] >= (written + size)[:, None, None])).any(1).float()  # (B, K)
            for place in written[due].unique().tolist():
                if place + size < length:
                    rows = (due & (written == place)).nonzero()[:, 0]
                    room[rows] |= (later[rows] @ self.tables.agree[place] > 0) & (v.length == size)
        return room | v.blank

    def _repeats(self, line: Tensor, written: Tensor, prompt: Tensor) -> Tensor:
        """(B, V) tokens with a character that stands in the poem already, but for a doubling that poets know."""
        v, length = self.vocabulary, self.rules.line_length
        used = self.used[prompt].scatter(1, line, True)
        used[:, 0] = False
        last = line.gather(1, (written - 1).clamp(0, length - 1)[:, None])[:, 0]  # (B,)
        doubled = self.doubled[prompt] | ((line[:, 1:] == line[:, :-1]) & (line[:, 1:] > 0)).any(1)
        again = v.may_double[last] & ~doubled & (written > 0) & ~self.used[prompt, last]
        repeats = _contains(used, v.chars) | v.restless | (v.doubles & doubled[:, None])
        first = (v.chars[:, 0] == last[:, None]) & ~_contains(used, v.chars[:, 1:]) & ~v.restless & ~v.doubles
        return repeats & ~(first & again[:, None])

    def _heads(self, allowed: Tensor) -> Tensor:
        """(B, V) the tokens that begin with the head; where none was allowed, the character by itself."""
        v = self.vocabulary
        only = allowed & (v.chars[:, 0] == self.head)
        stuck = ~only.any(1)
        only[stuck, v.single[self.head]] = True
        return only

    def _on(self, device: torch.device) -> VerseVocabulary:
        """Move the tables to the model's device, once."""
        if self.begun.device != device:
            self.vocabulary = _moved(self.vocabulary, device)
            self.tables = _moved(self.tables, device)
            for name, value in vars(self).items():
                if torch.is_tensor(value):
                    setattr(self, name, value.to(device))
        return self.vocabulary


def first_character(tokenizer: PreTrainedTokenizerBase, head: str) -> int:
    """The number of the character that a line is to begin with, 0 for none.

    Raises ValueError for one without a token of its own.
    """
    v = verse_vocabulary(tokenizer)
    number = v.number.get(head, 0)
    if head and v.single[number] < 0:
        raise ValueError(f"no line can begin with {head!r}: the poem model does not know the character")
    return number


class LineTables(NamedTuple):
    """What may stand at each place of a line of L characters, for K patterns and V tokens."""

    patterns: tuple[str, ...]
    orders: Tensor  # (2, K) the patterns of each order of tones
    is_level: Tensor  # (K, L)
    level_end: Tensor  # (K,) whether a pattern ends level
    fill: Tensor  # (L + 1, V); row r: the tokens for r missing characters after which the rest can be filled
    agree: Tensor  # (L, K, V) 1.0 where a token that begins at this place agrees with a pattern


@lru_cache(maxsize=32)
def line_tables(tokenizer: PreTrainedTokenizerBase, rules: VerseRules, number: int) -> LineTables:
    """The tables of line `number`, 0 to 3. Raises ValueError if no tokens add up to its length."""
    v, length = verse_vocabulary(tokenizer), rules.line_length
    orders = [patterns_to_write(length, first, number, rules.tone, rules.rhyme) for first in LEVEL + OBLIQUE]
    patterns = tuple(dict.fromkeys(orders[0] + orders[1]))
    is_level = torch.tensor([[tone == LEVEL for tone in pattern] for pattern in patterns])  # (K, L)
    can_be = v.token_can_be  # (V, M, 2)
    agree = torch.zeros(length, len(patterns), len(v.length))
    for place in range(length):
        fits = (v.length > 0) & (v.length <= length - place)  # (V,)
        agreeing = fits.expand(len(patterns), -1).clone()
        for j in range(min(v.chars.shape[1], length - place)):
            level, oblique = can_be[:, j].unbind(1)  # (V,)
            agreeing &= torch.where(is_level[:, place + j, None], level, oblique) | (v.length <= j)
        agree[place] = agreeing.float()
    return LineTables(
        patterns=patterns,
        orders=torch.tensor([[pattern in order for pattern in patterns] for order in orders]),
        is_level=is_level,
        level_end=is_level[:, -1],
        fill=_fill(v, length, tokenizer.eos_token_id),
        agree=agree,
    )


def _fill(v: VerseVocabulary, line_length: int, eos: int) -> Tensor:
    sizes, fillable = v.length.unique().tolist(), [True]
    for r in range(1, line_length + 1):
        fillable.append(any(0 < size <= r and fillable[r - size] for size in sizes))
    if not fillable[-1]:
        raise ValueError(f"no tokens of this tokenizer add up to {line_length} characters")
    after = torch.arange(line_length + 1)[:, None] - v.length  # (L + 1, V)
    fill = (v.length > 0) & (after >= 0) & torch.tensor(fillable)[after.clamp(min=0)]
    fill[0, eos] = True
    return fill


def _swapped(line: Sequence[frozenset[str]], first: str, number: int) -> bool:
    """True if a licence excuses the even places of a line, read in one of the ways that it may be."""
    return any(licence("".join(tones), first, number) for tones in product(*line))


def _rhyming(lines: Sequence[str]) -> tuple[str, ...]:
    """What of the lines so far the end of the next one depends on."""
    return (lines[0][-2:],) if len(lines) == 1 else (lines[1][-2:],) if len(lines) == 3 else ()


def _contains(chars: Tensor, tokens: Tensor) -> Tensor:
    """(B, C + 1) characters, (V, M) tokens -> (B, V) whether a token has one of them."""
    found = torch.zeros(len(chars), len(tokens), dtype=torch.bool, device=chars.device)
    for column in tokens.unbind(1):
        found |= chars[:, column]
    return found


def _moved(tables: NamedTuple, device: torch.device) -> NamedTuple:
    return tables._replace(**{k: x.to(device) for k, x in tables._asdict().items() if torch.is_tensor(x)})


def _prefer(allowed: Tensor, wish: Tensor) -> Tensor:
    """(B, V), (B, V) -> (B, V): the tokens both allowed and wished for; a row without any stays as it was."""
    both = allowed & wish
    stuck = both.view(torch.uint8).amax(1) == 0  # (B,); any(1) says the same, thirty times slower
    both[stuck] = allowed[stuck]
    return both
