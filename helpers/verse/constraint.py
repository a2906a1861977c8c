"""Exact length, rhyme and no character twice, while a line of a quatrain (绝句) is written.

`VerseConstraint` works with any tokenizer: it reads the tables of `helpers.verse.vocabulary` and the rhymes of
`helpers.verse.rhymes`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import LogitsProcessor, PreTrainedTokenizerBase

from helpers.verse.rhymes import level_rhymes, usual_readings
from helpers.verse.vocabulary import VerseVocabulary, padded, verse_vocabulary

# A rhyme is opened only in a group of which the vocabulary has this many single characters.
MIN_RHYMES = 10


class VerseConstraint(LogitsProcessor):
    """Makes each generated line exactly `line_length` Han characters long, and then ends it.

    tokenizer: one character a token, or several (SentencePiece). earlier: for each of P prompts the lines
    written before, at most three; row b of a batch of B = k·P rows continues earlier[b // k], which is how
    generate lays out beams and return sequences. rhyme: line 2 ends in a level rhyme, line 3 in an oblique
    character, line 4 rhymes with line 2. no_repeat: no character twice in the poem, except directly (悠悠).
    Where no token meets all wishes, no_repeat gives way first, then the rhyme, never the length. Give
    generate max_new_tokens >= line_length + 2: SentencePiece may open with a bare "▁", and the end counts.

    Raises ValueError: a tokenizer without an end token, a length no tokens add up to, more than three lines.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        line_length: int,
        earlier: Sequence[Sequence[str]],
        rhyme: bool = False,
        no_repeat: bool = False,
    ) -> None:
        if tokenizer.eos_token_id is None:
            raise ValueError("the tokenizer has no end token: a line could not end")
        if not earlier or max(map(len, earlier)) > 3:
            raise ValueError("earlier needs one entry for each prompt, of at most three lines")
        self.line_length, self.no_repeat = line_length, no_repeat
        self.vocabulary = verse_vocabulary(tokenizer, len(tokenizer))
        self.fits = self._fits(tokenizer.eos_token_id)  # (line_length + 1, V)
        self.inside = torch.arange(line_length + 1)[:, None] != self.vocabulary.length  # (line_length + 1, V)
        self.endings = self._all_endings(earlier) if rhyme else None  # (P, V)
        number = self.vocabulary.number
        self.used = padded([[number.get(char, 0) for char in "".join(lines)] for lines in earlier])  # (P, E)

    def _fits(self, eos: int) -> Tensor:
        """(line_length + 1, V); row r: the tokens for r missing characters after which the rest can be filled."""
        length = self.vocabulary.length
        sizes, fillable = length.unique().tolist(), [True]
        for r in range(1, self.line_length + 1):
            fillable.append(any(0 < size <= r and fillable[r - size] for size in sizes))
        if not fillable[-1]:
            raise ValueError(f"no tokens of this tokenizer add up to {self.line_length} characters")
        after = torch.arange(self.line_length + 1)[:, None] - length  # (line_length + 1, V)
        fits = (length > 0) & (after >= 0) & torch.tensor(fillable)[after.clamp(min=0)]
        fits[0, eos] = True
        return fits

    def _all_endings(self, earlier: Sequence[Sequence[str]]) -> Tensor:
        """(P, V); prompts with the same number of lines and the same rhyme share a row's computation."""
        keys = [(len(lines), "".join(lines[1:2])[-1:]) for lines in earlier]
        rows = {key: self._endings(lines) for key, lines in dict(zip(keys, earlier, strict=True)).items()}
        return torch.stack([rows[key] for key in keys])

    def _endings(self, lines: Sequence[str]) -> Tensor:
        """(V,) the tokens that may close the line that follows `lines`; those without text are not judged."""
        v = self.vocabulary
        ending = torch.ones_like(v.blank)
        if len(lines) == 1:
            ending = v.level[v.level[:, v.length == 1].sum(1) >= MIN_RHYMES].any(0)
        elif len(lines) == 2:
            ending = v.oblique
        elif len(lines) == 3:
            rhyme = lines[1][-1:]
            groups = {group for tone, group in usual_readings(rhyme) if tone == "平"} or level_rhymes(rhyme)
            last = v.chars.gather(1, (v.length - 1).clamp(min=0)[:, None])[:, 0]
            ending = v.level[[v.groups[group] for group in groups if group in v.groups]].any(0)
            ending = ending & (last != v.number.get(rhyme, -1))
        return ending | (v.length == 0)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """input_ids (B, t), column 0 the decoder's start token; scores (B, W), W >= V -> (B, W)."""
        v = self._on(scores.device)
        (rows, width), prompts, size = scores.shape, len(self.used), len(v.length)
        if rows % prompts or width < size:
            raise ValueError(f"{rows} rows for {prompts} prompts, {width} scores for {size} tokens")
        prompt = torch.arange(prompts, device=scores.device).repeat_interleave(rows // prompts)  # (B,)
        # Beams that have ended may hold any token: keep the look-up within the table.
        line = v.chars[input_ids[:, 1:].clamp(max=size - 1)].flatten(1)  # (B, (t - 1)·M)
        left = (self.line_length - (line > 0).sum(1)).clamp(min=0)  # (B,)
        allowed = self.fits[left]  # (B, V)
        if input_ids.shape[1] == 1:
            allowed = allowed | v.blank
        if self.endings is not None:
            allowed = _prefer(allowed, self.endings[prompt] | self.inside[left])
        if self.no_repeat:
            allowed = _prefer(allowed, ~self._repeated(self.used[prompt], line))
        return scores.masked_fill(~torch.nn.functional.pad(allowed, (0, width - size)), -torch.inf)

    def _repeated(self, used: Tensor, line: Tensor) -> Tensor:
        """used (B, E) by earlier lines, line (B, K) so far -> (B, V) tokens with one of these characters."""
        v, device = self.vocabulary, line.device
        from_end = (line > 0).flip(1).cumsum(1).flip(1)  # 1 at the last character, 2 at the one before
        last, before = ((line * (from_end == n)).sum(1, keepdim=True) for n in (1, 2))  # (B, 1) each
        used = torch.cat([used, line], dim=1)
        # The last character may come once more, to begin a token: only tokens with it further back repeat it.
        keys = torch.where((used == last) & (last != before), used + len(v.number) + 1, used)
        first, counts = v.starts[keys].flatten(), (v.starts[keys + 1] - v.starts[keys]).flatten()
        row = (torch.arange(keys.numel(), device=device) // keys.shape[1]).repeat_interleave(counts)  # (N,)
        shift = (first - counts.cumsum(0) + counts).repeat_interleave(counts)  # (N,)
        repeated = v.restless.expand(len(keys), -1).clone()
        repeated[row, v.tokens[shift + torch.arange(len(row), device=device)]] = True
        return repeated

    def _on(self, device: torch.device) -> VerseVocabulary:
        """Move the tables to the model's device, once."""
        if self.fits.device != device:
            tensors = {k: x.to(device) for k, x in self.vocabulary._asdict().items() if torch.is_tensor(x)}
            self.vocabulary = self.vocabulary._replace(**tensors)
            for name in ("fits", "inside", "used", "endings"):
                tensor = getattr(self, name)
                setattr(self, name, None if tensor is None else tensor.to(device))
        return self.vocabulary


def _prefer(allowed: Tensor, wish: Tensor) -> Tensor:
    """(B, V), (B, V) -> (B, V): the tokens both allowed and wished for; a row without any stays as it was."""
    both = allowed & wish
    stuck = both.view(torch.uint8).amax(1) == 0  # (B,); any(1) says the same, thirty times slower
    both[stuck] = allowed[stuck]
    return both
