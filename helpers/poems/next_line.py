"""Examples for the T5: (keywords + lines so far) -> next line, as text, as token ids and as padded batches."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import torch
from transformers import PreTrainedTokenizerBase

from helpers.poems.corpus import Quatrain
from helpers.poems.words import told_keywords

EOS = "</s>"  # ends every part of a source, and the target; T5's own
IGNORED = -100  # the label that cross-entropy skips: padding must not count in the loss
QUATRAIN, FRAGMENT = "绝", "律"  # what the lines belong to: a quatrain, or four lines of something longer
HEAD = "五七" + QUATRAIN + FRAGMENT + "1234:"  # all characters of a source that are not the poem's


def source_text(
    keywords: Sequence[str], lines: Sequence[str], line_length: int, *, until: int | None = None, kind: str = QUATRAIN
) -> str:
    """`七绝3:k1 k2` + EOS + the lines so far, each + EOS: the encoder's input that asks for line 3.

    `until`: the last line to be written, where that is not the next one (`七绝34:` asks for lines 3 and 4).
    """
    wanted = range(len(lines) + 1, (until or len(lines) + 1) + 1)
    head = ("七" if line_length == 7 else "五") + kind + "".join(map(str, wanted)) + ":"
    return head + " ".join(keywords) + EOS + "".join(line + EOS for line in lines)


def without_lines(source: str) -> str:
    """A source with its head and keywords only: what is asked for, and nothing to read."""
    head, end, _ = source.partition(EOS)
    return head + end


def target_text(line: str) -> str:
    """The next line + EOS: the decoder's target."""
    return line + EOS


def line_pairs(poems: Iterable[Quatrain], counts: Counter[str], seed: int = 0) -> Iterator[tuple[str, str]]:
    """(source, target) of all four lines of each poem, with keywords as `told_keywords` draws them for each line."""
    rng = random.Random(seed)
    for poem in poems:
        for i, line in enumerate(poem.lines):
            words = told_keywords(poem, i, counts, rng)
            yield source_text(words, poem.lines[:i], len(line)), target_text(line)


def encode(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[list[int]]:
    """Token ids without anything added: the end-of-line tokens are written out in our texts (see `source_text`)."""
    return tokenizer(list(texts), add_special_tokens=False, return_attention_mask=False)["input_ids"]


def tokenize(tokenizer: PreTrainedTokenizerBase, pairs: Iterable[tuple[str, str]]) -> list[dict[str, list[int]]]:
    """(source, target) pairs -> items {"input_ids", "labels"}, not padded yet."""
    sources, targets = zip(*pairs, strict=True)
    ids = zip(encode(tokenizer, sources), encode(tokenizer, targets), strict=True)
    return [{"input_ids": source, "labels": target} for source, target in ids]


def pad(rows: Sequence[Sequence[int]], value: int) -> torch.Tensor:
    """Rows of ids, padded on the right with `value` to the longest: (B, T)."""
    return torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], True, value)


def collate(items: Sequence[dict[str, list[int]]], pad_token_id: int) -> dict[str, torch.Tensor]:
    """Items {"input_ids", "labels"} -> input_ids (B, S), attention_mask (B, S), labels (B, T) with -100 at pads."""
    input_ids = pad([item["input_ids"] for item in items], pad_token_id)
    labels = pad([item["labels"] for item in items], IGNORED)
    return {"input_ids": input_ids, "attention_mask": (input_ids != pad_token_id).long(), "labels": labels}
