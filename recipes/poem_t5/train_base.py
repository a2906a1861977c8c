"""Train the embedded poem T5 on quatrains and on the fours of lines that longer poems are made of.

    python -m recipes.poem_t5.train_base --poems runs/poems --out runs/poem_base

Half of the batches ask for the next line, as the model is used, half for all remaining lines, which teaches a decoder
four times as much a step. Between them stand batches of the question *which poem does this line go on with?*: without
them a small T5 writes lines that are likely by themselves and hardly reads what stands before. `python -m helpers train
poem` on quatrains alone ends its training. A run that was killed continues from its last checkpoint.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedTokenizerBase, T5Config, T5ForConditionalGeneration, get_cosine_schedule_with_warmup
from transformers.modeling_outputs import BaseModelOutput

from helpers.poems import (
    FRAGMENT,
    ORDERED,
    QUATRAIN,
    PoemWriter,
    Quatrain,
    character_tokenizer,
    collate,
    count_words,
    cut_some,
    in_order,
    read_ccpc,
    read_split,
    segment,
    source_text,
    target_text,
    tokenize,
    told_keywords,
    without_lines,
)
from recipes.checkpoint import train
from recipes.poem_t5.alike import AlikePoems
from recipes.poem_t5.prepare_poems import vocabulary

SIZES = T5Config(d_model=288, d_kv=32, num_heads=9, d_ff=1152)
LOG = "training.json"  # written last
ANY_NUMBER = 0.3  # the share of sources that tell any number of a poem's words, all of them at times: copying pays
UNREAD = 0.06  # the share of sources without the lines so far: how likely a line is by itself, for comparison
OTHERS = 5  # the poems behind which each line is read besides its own, where it is asked whose line it is
QUATRAIN_PASSES = 2  # of the quatrains, while the fragments pass once


class Batch(NamedTuple):
    """Poems of one kind and length, so that their targets need no padding."""

    kind: str
    poems: tuple[Quatrain, ...]


class Lessons:
    """The batches of every step, the same ones whenever a run is resumed."""

    def __init__(self, quatrains: Sequence[Quatrain], fragments: Sequence[Quatrain], size: int, seed: int) -> None:
        self.counts = count_words(quatrains)
        self.size, self.seed = size, seed
        self._kept: tuple[int, list[Batch]] = -1, []
        self.pools = [
            (kind, [poem for poem in poems if len(poem.lines[0]) == length])
            for kind, poems in [*[(QUATRAIN, quatrains)] * QUATRAIN_PASSES, (FRAGMENT, fragments)]
            for length in (5, 7)
        ]

    def __len__(self) -> int:
        """Batches in a pass."""
        return sum(len(poems) // self.size for _, poems in self.pools)

    def _pass(self, number: int) -> list[Batch]:
        """The batches of a pass in their order; kept until another one is asked for."""
        if self._kept[0] != number:
            self._kept = number, self._shuffled(number)
        return self._kept[1]

    def _shuffled(self, number: int) -> list[Batch]:
        rng, batches = random.Random(f"{self.seed} pass {number}"), []
        for kind, poems in self.pools:
            poems = rng.sample(poems, len(poems))
            ends = range(self.size, len(poems) + 1, self.size)
            batches += [Batch(kind, tuple(poems[end - self.size : end])) for end in ends]
        return rng.sample(batches, len(batches))

    def pairs(self, step: int) -> list[tuple[str, str]]:
        """The (source, target) pairs of a step: from one line on, to the next one or to the end."""
        number, place = divmod(step, len(self))
        batch, rng = self._pass(number)[place], random.Random(f"{self.seed} step {step}")
        start = rng.randrange(4)
        until = rng.choice((start + 1, 4))
        return [self._pair(poem, batch.kind, start, until, rng) for poem in batch.poems]

    def _pair(self, poem: Quatrain, kind: str, start: int, until: int, rng: random.Random) -> tuple[str, str]:
        words = self._words(poem, rng) if rng.random() < ANY_NUMBER else told_keywords(poem, start, self.counts, rng)
        source = source_text(words, poem.lines[:start], len(poem.lines[0]), until=until, kind=kind)
        if start and rng.random() < UNREAD:
            source = without_lines(source)
        return source, "".join(map(target_text, poem.lines[start:until]))

    def _words(self, poem: Quatrain, rng: random.Random) -> list[str]:
        words = [word for line in poem.lines for word in segment(line, self.counts)]
        told = rng.sample(words, rng.randint(1, len(words)))
        return cut_some(in_order(told, poem.lines) if rng.random() < ORDERED else told, rng)


def whose_line(kind: str, poems: AlikePoems, step: int) -> list[tuple[str, str]]:
    """The (source, target) pairs of poems that are alike, without keywords, which would tell whose line it is."""
    number, batch = poems.batch(step)
    return [
        (source_text((), poem.lines[:number], len(poem.lines[0]), kind=kind), target_text(poem.lines[number]))
        for poem in batch
    ]


@torch.no_grad()
def prepare_to_copy(model: T5ForConditionalGeneration) -> None:
    """Let a decoder that attends to a word of the source lean towards writing it, before any training.

    With random weights a small T5 sums its source up in a topic and stays there: after 6,600 steps ours mentioned 4%
    of its keywords. Here the encoder begins near the identity, and cross-attention passes on what it finds: its value
    and output matrices are the identity, and the tied output reads an embedding as its token.
    """
    for block in model.encoder.block:
        block.layer[0].SelfAttention.o.weight.mul_(0.3)
        block.layer[1].DenseReluDense.wo.weight.mul_(0.3)
    model.encoder.final_layer_norm.weight.fill_(1.0)
    half = len(model.decoder.block) // 2
    for i, block in enumerate(model.decoder.block):
        attention = block.layer[1].EncDecAttention
        torch.nn.init.eye_(attention.v.weight)
        torch.nn.init.eye_(attention.o.weight).mul_(2.0 if i >= half else 0.6)


def new_model(
    tokenizer: PreTrainedTokenizerBase, sizes: T5Config, layers: tuple[int, int]
) -> T5ForConditionalGeneration:
    """A T5 of the given widths and `layers` (encoder, decoder) that is prepared to copy."""
    config = T5Config(
        vocab_size=len(tokenizer), d_model=sizes.d_model, d_kv=sizes.d_kv, num_heads=sizes.num_heads, d_ff=sizes.d_ff,
        num_layers=layers[0], num_decoder_layers=layers[1], dropout_rate=0.0,
        decoder_start_token_id=tokenizer.pad_token_id, pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    model = T5ForConditionalGeneration(config)
    prepare_to_copy(model)
    return model


@torch.no_grad()
def grown(
    earlier: PoemWriter, tokenizer: PreTrainedTokenizerBase, layers: tuple[int, int]
) -> T5ForConditionalGeneration:
    """An earlier model with the characters of another vocabulary, and with more `layers` (encoder, decoder).

    The new layers are the last ones and add nothing yet: their outputs begin at zero.
    """
    model = new_model(tokenizer, earlier.model.config, layers)
    old = earlier.model.state_dict()
    ids, theirs = tokenizer.get_vocab(), earlier.tokenizer.get_vocab()
    shared = model.shared.weight.clone()
    for token, number in ids.items():
        if token in theirs:
            shared[number] = old["shared.weight"][theirs[token]]
    state = {name: tensor for name, tensor in old.items() if tensor.shape == model.state_dict()[name].shape}
    model.load_state_dict(state, strict=False)
    model.shared.weight.copy_(shared)
    for stack, first in (
        (model.encoder, len(earlier.model.encoder.block)),
        (model.decoder, len(earlier.model.decoder.block)),
    ):
        for block in stack.block[first:]:
            for layer in block.layer[:-1]:
                (layer.SelfAttention if hasattr(layer, "SelfAttention") else layer.EncDecAttention).o.weight.zero_()
            block.layer[-1].DenseReluDense.wo.weight.zero_()
    return model


def next_line_loss(model: T5ForConditionalGeneration, batch: dict[str, torch.Tensor], others: int) -> torch.Tensor:
    """Cross-entropy of the lines, and of each line's own poem among `others` more of the batch (InfoNCE).

    The poems compete for a line and not the lines for a poem, so that what is likely by itself wins nothing: the
    optimum is the likelihood itself.

    Args:
        batch: of `collate`, B pairs whose lines are alike in length, rhyme and tones.
    """
    labels, mask = batch["labels"], batch["attention_mask"]  # (B, T), (B, S)
    states = model.encoder(batch["input_ids"], attention_mask=mask).last_hidden_state
    shifts = (torch.arange(others + 1) * (len(labels) // (others + 1)))[:, None]
    rows = ((torch.arange(len(labels)) + shifts) % len(labels)).flatten()  # K times B sources, the line's own first
    outputs = BaseModelOutput(last_hidden_state=states[rows])
    repeated = labels.repeat(others + 1, 1)
    logits = model(encoder_outputs=outputs, attention_mask=mask[rows], labels=repeated).logits.float()
    losses = cross_entropy(logits.transpose(1, 2), repeated, reduction="none").view(others + 1, *labels.shape)
    return losses[0].mean() - (-losses.sum(2)).log_softmax(0)[0].mean()


def build_optimizer(model: T5ForConditionalGeneration, lr: float) -> torch.optim.AdamW:
    """AdamW with a larger step for the embedding, which T5 initialises with a standard deviation of 1 and ties to the
    output: with one learning rate it hardly moves and the first thousand steps are lost."""
    embedding = {"params": [model.shared.weight], "lr": 7 * lr}
    others = {"params": [p for p in model.parameters() if p is not model.shared.weight]}
    return torch.optim.AdamW([embedding, others], lr=lr, betas=(0.9, 0.98), weight_decay=0.01, fused=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--poems", type=Path, required=True, help="of recipes/poem_t5/prepare_poems.py")
    parser.add_argument("--out", type=Path, default=Path("runs/poem_base"))
    parser.add_argument("--steps", type=int, default=15_000)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--rivals", type=int, default=48, help="poems in a batch that asks whose line it is; 0: none")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--layers", type=int, nargs=2, default=(4, 6), metavar=("ENCODER", "DECODER"))
    parser.add_argument("--start", type=Path, help="a poem model of SIZES to go on with; it may have fewer layers")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if (args.out / LOG).is_file():
        return  # finished before

    args.out.mkdir(parents=True, exist_ok=True)
    quatrains, fragments = read_split(args.poems, "train"), read_ccpc(args.poems / "fragments.json")
    torch.manual_seed(args.seed)
    tokenizer, layers = character_tokenizer(sorted(vocabulary(quatrains))), tuple(args.layers)
    if args.start:
        model = grown(PoemWriter.from_pretrained(args.start), tokenizer, layers)
    else:
        model = new_model(tokenizer, SIZES, layers)
    model.train()
    model.set_attn_implementation("eager")  # for sequences this short 1.8 times as fast a step as sdpa, on a CPU
    lessons = Lessons(quatrains, fragments, args.batch_size, args.seed)
    if not len(lessons):
        raise ValueError(f"there are not {args.batch_size} poems of one kind: give a smaller --batch-size")
    kinds = ((QUATRAIN, quatrains), (FRAGMENT, fragments)) if args.rivals else ()
    alike = [(kind, AlikePoems(poems, args.rivals, args.seed)) for kind, poems in kinds]
    print(f"{len(quatrains):,} quatrains, {len(fragments):,} fragments, {len(lessons):,} batches a pass")
    print(f"{len(tokenizer):,} tokens, {model.num_parameters():,} weights", flush=True)

    def loss_at(step: int) -> torch.Tensor:
        turn, asks_whose = divmod(step, 2) if alike else (step, False)
        pairs = whose_line(*alike[turn % 2], turn) if asks_whose else lessons.pairs(turn)
        batch = collate(tokenize(tokenizer, pairs), tokenizer.pad_token_id)
        with torch.autocast("cpu", torch.bfloat16):
            return next_line_loss(model, batch, min(OTHERS, args.rivals - 1)) if asks_whose else model(**batch).loss

    optimizer = build_optimizer(model, args.lr)
    schedule = get_cosine_schedule_with_warmup(optimizer, min(200, args.steps // 10), args.steps)
    started = time.time()
    train(args.out, model, optimizer, schedule, args.steps, loss_at, [], say_every=50, keep_every=250)
    model.save_pretrained(args.out)
    tokenizer.save_pretrained(args.out)
    minutes = round((time.time() - started) / 60, 1)
    passes = args.steps / (2 if alike else 1) / len(lessons)
    log = {"steps": args.steps, "batch_size": args.batch_size, "passes": passes, "minutes": minutes}
    (args.out / LOG).write_text(json.dumps(log, indent=1))


if __name__ == "__main__":
    main()
