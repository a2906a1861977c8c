"""The T5 that writes the next line of a quatrain from keywords and the lines so far (T5: Raffel et al. 2020).

Two kinds of folder load the same way, by hub id or path: our own small T5 with a vocabulary of single characters,
and a fine-tuned Langboat/mengzi-t5-base with its SentencePiece vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy
from transformers import (
    AutoTokenizer,
    DynamicCache,
    EncoderDecoderCache,
    LogitsProcessorList,
    PreTrainedTokenizerBase,
    T5ForConditionalGeneration,
)

from helpers.decoding import KeywordBonus
from helpers.poems import KEYWORD_PREFIX, source_text, target_text
from helpers.quantize import load_pretrained
from helpers.tone_pattern import ToneConstraint
from helpers.verse import FORMS, VerseConstraint

PAD, EOS, UNK = "<pad>", "</s>", "<unk>"
KEYWORD_BONUS = 5.0  # nats; chosen on keywords of a sample that no figure is measured on
IGNORED = -100  # the label that cross-entropy skips: padding must not count in the loss


@dataclass(frozen=True)
class Poem:
    """Four lines, the words they were written for, and the mean log-probability of a character under the T5."""

    lines: tuple[str, str, str, str]
    keywords: tuple[str, ...]
    log_likelihood: float

    def __str__(self) -> str:
        first, second, third, fourth = self.lines
        return f"{first}，{second}。\n{third}，{fourth}。"


def character_tokenizer(characters: Iterable[str]) -> PreTrainedTokenizerBase:
    """A vocabulary of single characters: <pad> 0, </s> 1, <unk> 2, those of the prompt, then `characters`."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    symbols = dict.fromkeys([PAD, EOS, UNK, *KEYWORD_PREFIX, " ", *characters])
    tokenizer = Tokenizer(models.WordLevel({s: i for i, s in enumerate(symbols)}, unk_token=UNK))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token=PAD, eos_token=EOS, unk_token=UNK)


def encode(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[list[int]]:
    """Token ids without anything added: the end-of-line tokens are written out in our texts (see `source_text`)."""
    return tokenizer(list(texts), add_special_tokens=False, return_attention_mask=False)["input_ids"]


def pad(rows: Sequence[Sequence[int]], value: int) -> torch.Tensor:
    """Rows of ids, padded on the right with `value` to the longest: (B, T)."""
    return torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], True, value)


def collate(items: Sequence[dict[str, list[int]]], pad_token_id: int) -> dict[str, torch.Tensor]:
    """Items {"input_ids", "labels"} -> input_ids (B, S), attention_mask (B, S), labels (B, T) with -100 at pads."""
    input_ids = pad([item["input_ids"] for item in items], pad_token_id)
    labels = pad([item["labels"] for item in items], IGNORED)
    return {"input_ids": input_ids, "attention_mask": (input_ids != pad_token_id).long(), "labels": labels}


class PoemWriter:
    """Writes quatrains line by line: one batched `generate` a line for all candidates of all keyword sets."""

    def __init__(self, model: T5ForConditionalGeneration, tokenizer: PreTrainedTokenizerBase) -> None:
        self.model = model.eval()
        self.tokenizer = tokenizer

    @classmethod
    def from_pretrained(cls, name: str | Path, device: str = "cpu", dtype: torch.dtype = torch.float32) -> PoemWriter:
        """Load a folder or a hub id."""
        model = load_pretrained(T5ForConditionalGeneration, name)
        return cls(model.to(device, dtype), AutoTokenizer.from_pretrained(name))

    def unknown_characters(self, text: str) -> set[str]:
        """The characters of `text` that the vocabulary cannot spell."""
        characters = sorted(set(text))
        ids = encode(self.tokenizer, characters) if characters else []
        return {char for char, row in zip(characters, ids, strict=True) if self.tokenizer.unk_token_id in row}

    def write(
        self, keywords: Sequence[str], form: str = "7x4", seed: int = 0, n: int = 1, **options: float | bool
    ) -> list[Poem]:
        """`n` quatrains for one list of keywords; see `write_batch` for the options."""
        return self.write_batch([keywords], form, seed, n, **options)[0]

    @torch.inference_mode()
    def write_batch(
        self,
        keyword_sets: Sequence[Sequence[str]],
        form: str = "7x4",
        seed: int = 0,
        n: int = 1,
        *,
        rhyme: bool = True,
        no_repeat: bool = True,
        tone: bool = False,
        keyword_bonus: float = KEYWORD_BONUS,
        temperature: float = 0.7,
        top_p: float = 0.9,
    ) -> list[list[Poem]]:
        """`n` quatrains for each of the keyword sets, sampled (nucleus sampling, Holtzman et al. 2020).

        The lines are always of the form's length; `rhyme` and `no_repeat` are the further constraints of
        `verse.VerseConstraint`, `tone` is that of `tone_pattern.ToneConstraint`, and `keyword_bonus` that of
        `decoding.KeywordBonus` (0: none). A larger batch draws other random numbers: for the same seed a keyword set
        then gets other poems. Raises ValueError for an unknown form, no keywords, or n < 1.
        """
        check_request(keyword_sets, form, n)
        rows = [tuple(keywords) for keywords in keyword_sets for _ in range(n)]  # B = len(keyword_sets) * n
        poems: list[list[str]] = [[] for _ in rows]
        torch.manual_seed(seed)
        for _ in range(4):
            sources = [source_text(keywords, poem, EOS) for keywords, poem in zip(rows, poems, strict=True)]
            processors = LogitsProcessorList()
            if keyword_bonus:
                processors.append(KeywordBonus(self.tokenizer, rows, poems, FORMS[form], keyword_bonus))
            processors.append(VerseConstraint(self.tokenizer, FORMS[form], poems, rhyme=rhyme, no_repeat=no_repeat))
            if tone:
                processors.append(ToneConstraint(self.tokenizer, FORMS[form], poems))
            lines = self._next_lines(sources, FORMS[form], processors, temperature=temperature, top_p=top_p)
            for poem, line in zip(poems, lines, strict=True):
                poem.append(line)
        scores = self.log_likelihoods(rows, poems)
        written = [Poem(tuple(p), k, s) for p, k, s in zip(poems, rows, scores.tolist(), strict=True)]
        return [written[i : i + n] for i in range(0, len(written), n)]

    def _next_lines(
        self, sources: Sequence[str], length: int, processors: LogitsProcessorList, **sampling: float
    ) -> list[str]:
        batch = pad(encode(self.tokenizer, sources), self.tokenizer.pad_token_id).to(self.model.device)
        output = self.model.generate(
            input_ids=batch,  # (B, S)
            attention_mask=(batch != self.tokenizer.pad_token_id).long(),
            use_cache=True,  # the Trainer saves the config with False
            # transformers 5 gives a T5's cache as many layers as the encoder has, and ours has fewer: this one grows
            past_key_values=EncoderDecoderCache(DynamicCache(), DynamicCache()),
            max_new_tokens=length + 2,  # the characters, EOS, and the bare ▁ that SentencePiece may begin with
            do_sample=True,
            top_k=0,
            logits_processor=processors,
            **sampling,
        )  # (B, 1 + length + 1)
        texts = self.tokenizer.batch_decode(output, skip_special_tokens=True)
        return [text.replace(" ", "") for text in texts]

    @torch.inference_mode()
    def log_likelihoods(
        self, keyword_sets: Sequence[Sequence[str]], poems: Sequence[Sequence[str]], batch_size: int = 256
    ) -> torch.Tensor:
        """Mean log-probability (nats) of a character of each poem, its EOS tokens counted in: (N,)."""
        pairs = [
            (source_text(keywords, poem[:i], EOS), target_text(poem[i], EOS))
            for keywords, poem in zip(keyword_sets, poems, strict=True)
            for i in range(4)
        ]
        sums, counts = [], []
        for start in range(0, len(pairs), batch_size):
            sources, targets = zip(*pairs[start : start + batch_size], strict=True)
            items = [
                {"input_ids": s, "labels": t}
                for s, t in zip(encode(self.tokenizer, sources), encode(self.tokenizer, targets), strict=True)
            ]
            batch = {k: v.to(self.model.device) for k, v in collate(items, self.tokenizer.pad_token_id).items()}
            logits = self.model(**batch, use_cache=False).logits.float()  # (B, T, V)
            losses = cross_entropy(logits.transpose(1, 2), batch["labels"], ignore_index=IGNORED, reduction="none")
            sums.append(losses.sum(1))
            counts.append((batch["labels"] != IGNORED).sum(1))
        total = torch.cat(sums).view(-1, 4).sum(1)
        return -(total / torch.cat(counts).view(-1, 4).sum(1)).cpu()


def check_request(keyword_sets: Sequence[Sequence[str]], form: str, n: int) -> None:
    """Raise ValueError, in one clear line, for a request that cannot be met."""
    if form not in FORMS:
        raise ValueError(f"unknown form {form!r}: choose one of {', '.join(FORMS)}")
    if n < 1:
        raise ValueError(f"n must be at least 1, not {n}")
    if not keyword_sets or not all(any(word.strip() for word in keywords) for keywords in keyword_sets):
        raise ValueError("at least one keyword is needed to write a poem")
