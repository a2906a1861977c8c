"""The T5 that writes the next line of a quatrain from keywords and the lines so far (T5: Raffel et al. 2020).

Two kinds of folder load the same way, by hub id or path: our own small T5 with a vocabulary of single characters,
and a fine-tuned Langboat/mengzi-t5-base with its SentencePiece vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy
from transformers import (
    AutoTokenizer,
    LogitsProcessor,
    LogitsProcessorList,
    PreTrainedTokenizerBase,
    T5ForConditionalGeneration,
)
from transformers.modeling_outputs import BaseModelOutput

from helpers.options import DEFAULT, PoemOptions, punctuated
from helpers.poems.decoding import Decoding, growing_cache, row_draws, sample_rows
from helpers.poems.drafts import Drafts
from helpers.poems.next_line import (
    EOS,
    HEAD,
    IGNORED,
    collate,
    encode,
    pad,
    source_text,
    target_text,
    tokenize,
)
from helpers.storage import load_pretrained
from helpers.verse import LISTED, Line, VerseProcessor, VerseRules, first_character, headed_lines

PAD, UNK = "<pad>", "<unk>"


@dataclass(frozen=True)
class Poem:
    """Four lines, the words they were written for, and the mean log-probability of a token under the T5."""

    lines: tuple[str, str, str, str]
    keywords: tuple[str, ...]
    log_likelihood: float  # nats
    refused: Mapping[str, str] = field(default_factory=dict, hash=False)  # keyword -> why the rules let it go
    opening: Line | None = None  # the poet's, if line 1 is one

    def __str__(self) -> str:
        return punctuated(self.lines)


def character_tokenizer(characters: Iterable[str]) -> PreTrainedTokenizerBase:
    """A vocabulary of single characters: <pad> 0, </s> 1, <unk> 2, those of the prompt, then `characters`."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    symbols = dict.fromkeys([PAD, EOS, UNK, *HEAD, " ", *characters])
    tokenizer = Tokenizer(models.WordLevel({s: i for i, s in enumerate(symbols)}, unk_token=UNK))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token=PAD, eos_token=EOS, unk_token=UNK)


def use_eager_attention(model: T5ForConditionalGeneration) -> None:
    """Plain products in place of fused kernels, also in the halves, which transformers before 5.23 passes over."""
    for part in (model, model.encoder, model.decoder):
        part.set_attn_implementation("eager")


class PoemWriter:
    """Writes quatrains line by line: one batched `generate` a line for all candidates of all keyword sets."""

    def __init__(self, model: T5ForConditionalGeneration, tokenizer: PreTrainedTokenizerBase) -> None:
        self.model = model.eval()
        self.tokenizer = tokenizer

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
        local_files_only: bool = False,
    ) -> PoemWriter:
        """Load a folder or a hub id; `local_files_only`: without a request to the hub. Float16 becomes float32."""
        options = {"local_files_only": local_files_only}
        model = load_pretrained(T5ForConditionalGeneration, name, **options)
        # A T5 adds a bias to its attention scores, for which the fused kernels are slower on a CPU than plain products.
        use_eager_attention(model)
        # A T5 overflows in float16: its feed-forward sums pass 65,504.
        dtype = torch.float32 if dtype == torch.float16 else dtype
        return cls(model.to(device, dtype), AutoTokenizer.from_pretrained(name, **options))

    def unknown_characters(self, text: str) -> set[str]:
        """The characters of `text` that the vocabulary cannot spell."""
        characters = sorted(set(text))
        ids = encode(self.tokenizer, characters) if characters else []
        return {char for char, row in zip(characters, ids, strict=True) if self.tokenizer.unk_token_id in row}

    def write(self, keywords: Sequence[str], options: PoemOptions = DEFAULT, **further: object) -> list[Poem]:
        """`options.n` quatrains for one list of keywords; `further` arguments are those of `write_batch`."""
        return self.write_batch([keywords], options, **further)[0]

    @torch.inference_mode()
    def write_batch(
        self,
        keyword_sets: Sequence[Sequence[str]],
        options: PoemOptions = DEFAULT,
        *,
        decoding: Decoding | None = None,
        openings: Sequence[str] | None = None,
        select: Callable[[Drafts], Sequence[int]] | None = None,
        prefixes: torch.Tensor | None = None,
    ) -> list[list[Poem]]:
        """`options.n` quatrains for each of the keyword sets, in one batch of B = len(keyword_sets) * n rows.

        Args:
            keyword_sets: at least one word each, or none if there are `prefixes`.
            options: all but `way`. The lines are always of the form's length; the other rules give way where nothing
                else is left, see `VerseProcessor`.
            decoding: options of `generate`, as in `STRATEGIES`. Without it `sample_rows` draws, and a keyword set gets
                the same poems from the same seed in any batch.
            openings: a first line for each of the B poems, to be continued.
            select: looks at the B drafts after each of the lines 1 to 3 and gives the row numbers of B of them to go on
                with; row i belongs to keyword set i // n and must stay with it.
            prefixes: vectors (len(keyword_sets), k, W) that the decoder sees in front of what the encoder says, see
                `helpers.captioning.verse_prefix`.

        Raises:
            ValueError: no keywords, a character of the acrostic that the model does not know, or openings that are not
                a line of the form's length for each poem.
        """
        if prefixes is None and not (keyword_sets and all(any(map(str.strip, words)) for words in keyword_sets)):
            raise ValueError("at least one keyword is needed to write a poem")
        for char in options.acrostic:  # before anything is written
            first_character(self.tokenizer, char)
        rows = [tuple(keywords) for keywords in keyword_sets for _ in range(options.n)]  # B
        drafts = Drafts.begin(rows, options.line_length, openings)
        torch.manual_seed(options.seed)  # for a `decoding` that draws from there
        draws = row_draws(keyword_sets, options.n, options.seed)  # (4, B, T)
        for number in range(drafts.written, 4):
            rules = self.rules(drafts, options)
            states, mask = self._encode(drafts.sources())
            if prefixes is not None:
                states, mask = behind(prefixes.repeat_interleave(options.n, 0), states, mask)
            if decoding is None:
                written, scores = sample_rows(self.model, states, mask, rules, draws[number])
            else:
                written, scores = self._generate(states, mask, rules, options.line_length, decoding)
            lines = self._texts(written, scores)
            drafts = drafts.with_lines(*lines, rules.refused)
            if select and number < 3:
                drafts = drafts.rows(select(drafts))
        means = drafts.means().tolist()
        rows = zip(drafts.lines, drafts.keywords, means, drafts.refused, strict=True)
        written = [
            Poem(lines, words, mean, {word: why for word, why in refused.items() if word not in "".join(lines)})
            for lines, words, mean, refused in rows
        ]
        return [written[i : i + options.n] for i in range(0, len(written), options.n)]

    def rules(self, drafts: Drafts, options: PoemOptions) -> VerseProcessor:
        """The rules of the next line, with its keyword and its first character."""
        number = drafts.written
        words = later = listed = None
        if options.keyword_per_line:
            rows = zip(drafts.lines, drafts.keywords, strict=True)
            listed = [headed_lines(lines, keywords) >= LISTED - 1 for lines, keywords in rows]
            words = [next(iter(row[number : number + 1]), None) for row in drafts.keywords]
            later = [row[number + 1 : 4] for row in drafts.keywords]
        return VerseProcessor(
            self.tokenizer,
            VerseRules(options.line_length, options.rhyme, options.no_repeat, options.tone),
            drafts.lines,
            words,
            later,
            head=options.acrostic[number : number + 1],
            later_heads=options.acrostic[number + 1 :],
            listed=listed,
        )

    def _encode(self, sources: Sequence[str]) -> tuple[BaseModelOutput, torch.Tensor]:
        """The encoder's states (B, S, D) and their mask (B, S); sources that are the same are encoded once."""
        which = {source: row for row, source in enumerate(dict.fromkeys(sources))}
        batch = pad(encode(self.tokenizer, list(which)), self.tokenizer.pad_token_id).to(self.model.device)
        mask = (batch != self.tokenizer.pad_token_id).long()
        states = self.model.encoder(batch, attention_mask=mask).last_hidden_state
        rows = torch.tensor([which[source] for source in sources], device=self.model.device)
        return BaseModelOutput(last_hidden_state=states[rows]), mask[rows]

    def _generate(
        self, states: BaseModelOutput, mask: torch.Tensor, rules: LogitsProcessor, length: int, decoding: Decoding
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """As `sample_rows`, by an option of `generate`: tokens (B, T), their log-probabilities (B, T)."""
        output = self.model.generate(
            encoder_outputs=states,
            attention_mask=mask,
            use_cache=True,  # the Trainer saves the config with False
            past_key_values=growing_cache(),
            max_new_tokens=length + 2,  # the characters, EOS, and the bare ▁ that SentencePiece may begin with
            logits_processor=LogitsProcessorList([rules]),
            return_dict_in_generate=True,
            output_logits=True,  # the model's own: nothing is computed a second time to score a poem
            **decoding,
        )
        written = output.sequences[:, 1:]  # (B, T)
        return written, token_log_likelihoods(written, output.logits, output.get("beam_indices"))

    def _texts(self, written: torch.Tensor, scores: torch.Tensor) -> tuple[list[str], torch.Tensor, torch.Tensor]:
        """Tokens and log-probabilities (B, T) -> B lines, their log-likelihoods (B,), how many tokens each has (B,)."""
        real = written != self.tokenizer.pad_token_id
        lines = [text.replace(" ", "") for text in self.tokenizer.batch_decode(written, skip_special_tokens=True)]
        return lines, scores.masked_fill(~real, 0).sum(1).cpu(), real.sum(1).cpu()

    @torch.inference_mode()
    def log_likelihoods(
        self, keyword_sets: Sequence[Sequence[str]], poems: Sequence[Sequence[str]], batch_size: int = 256
    ) -> torch.Tensor:
        """Mean log-probability (nats) of a token of each poem, its EOS tokens counted in: (N,).

        Raises ValueError for a poem that has not four lines.
        """
        if any(len(poem) != 4 for poem in poems):
            raise ValueError("a quatrain has four lines")
        pairs = (
            (source_text(keywords, poem[:i], len(line)), target_text(line))
            for keywords, poem in zip(keyword_sets, poems, strict=True)
            for i, line in enumerate(poem)
        )
        sums, counts = self.pair_log_likelihoods(pairs, batch_size)
        return sums.view(-1, 4).sum(1) / counts.view(-1, 4).sum(1)

    @torch.inference_mode()
    def pair_log_likelihoods(
        self, pairs: Iterable[tuple[str, str]], batch_size: int = 256
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Summed log-probability (nats) of each target behind its source, and how many tokens it has: (N,) both."""
        items = tokenize(self.tokenizer, pairs)
        sums, counts = [], []
        for start in range(0, len(items), batch_size):
            batch = collate(items[start : start + batch_size], self.tokenizer.pad_token_id)
            batch = {k: v.to(self.model.device) for k, v in batch.items()}
            logits = self.model(**batch, use_cache=False).logits.float()  # (B, T, V)
            losses = cross_entropy(logits.transpose(1, 2), batch["labels"], ignore_index=IGNORED, reduction="none")
            sums.append(-losses.sum(1))
            counts.append((batch["labels"] != IGNORED).sum(1))
        return torch.cat(sums).cpu(), torch.cat(counts).cpu()


def behind(prefixes: torch.Tensor, states: BaseModelOutput, mask: torch.Tensor) -> tuple[BaseModelOutput, torch.Tensor]:
    """Vectors (B, k, W) in front of the encoder's states (B, S, W), and the mask (B, S) of both: (B, k + S)."""
    encoded = states.last_hidden_state
    together = torch.cat([prefixes.to(encoded), encoded], 1)
    return BaseModelOutput(last_hidden_state=together), torch.nn.functional.pad(mask, (prefixes.shape[1], 0), value=1)


def token_log_likelihoods(
    written: torch.Tensor, logits: Sequence[torch.Tensor], beam_indices: torch.Tensor | None
) -> torch.Tensor:
    """Tokens (B, T), the model's logits of at least T steps, (rows, V) each -> log-probabilities (B, T).

    As `compute_transition_scores`, without its copies of all logits. With beams, `beam_indices` (B, T) has the row that
    each token was chosen in.
    """
    columns = []
    for step, tokens in enumerate(written.unbind(1)):
        scores = logits[step].float()
        rows = (
            torch.arange(len(tokens), device=tokens.device) if beam_indices is None else beam_indices[:, step].clamp(0)
        )
        columns.append(scores[rows, tokens] - scores.logsumexp(1)[rows])
    return torch.stack(columns, 1)
