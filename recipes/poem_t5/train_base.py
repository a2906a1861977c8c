"""Train the base of the embedded poem T5: a model that completes poems of which it has been told some words.

    python -m recipes.poem_t5.train_base --poems runs/poems --out runs/poem_base

The source names any number of a poem's words, all of them at times, and the target is all remaining lines: much to
learn from one pass, and copying pays from the start. What makes a poem model of it, which writes one line at a time
from a few words, is `python -m helpers train poem`. A run that was killed continues from its last checkpoint.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import torch
from transformers import (
    PreTrainedTokenizerBase,
    Seq2SeqTrainer,
    Seq2SeqTrainingArguments,
    T5Config,
    T5ForConditionalGeneration,
)

from helpers.poems import (
    PoemWriter,
    Quatrain,
    character_tokenizer,
    collate,
    count_words,
    cut_some,
    last_checkpoint,
    read_split,
    segment,
    source_text,
    target_text,
    tokenize,
)
from recipes.poem_t5.prepare_poems import vocabulary

LOG = "training.json"  # written last
STARTS = (0, 0, 1, 2)  # the lines from which a poem is completed, one source each


def completions(poems: Sequence[Quatrain], counts: Counter[str], seed: int) -> Iterator[tuple[str, str]]:
    """(source, target): some of a poem's words and its first lines -> all lines after these."""
    rng = random.Random(seed)
    for poem in poems:
        words = [word for line in poem.lines for word in segment(line, counts)]
        for start in STARTS:
            told = cut_some(rng.sample(words, rng.randint(1, len(words))), rng)
            target = "".join(target_text(line) for line in poem.lines[start:])
            yield source_text(told, poem.lines[:start]), target


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


def new_model(tokenizer: PreTrainedTokenizerBase, start: Path | None) -> T5ForConditionalGeneration:
    """A T5 that is prepared to copy; from `start` come its embedding and the decoder, but for cross-attention."""
    config = T5Config(
        vocab_size=len(tokenizer), d_model=288, d_kv=32, num_heads=9, d_ff=1152, num_layers=2, num_decoder_layers=4,
        dropout_rate=0.0, decoder_start_token_id=tokenizer.pad_token_id, pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    model = T5ForConditionalGeneration(config)
    if start:
        state = PoemWriter.from_pretrained(start).model.state_dict()
        new = ("encoder.block.", ".EncDecAttention.")
        kept = {name: tensor for name, tensor in state.items() if not any(part in name for part in new)}
        model.load_state_dict(kept, strict=False)
    prepare_to_copy(model)
    return model


def build_optimizer(model: T5ForConditionalGeneration, lr: float) -> torch.optim.AdamW:
    """AdamW with a larger step for the embedding, which T5 initialises with a standard deviation of 1 and ties to the
    output: with one learning rate it hardly moves and the first thousand steps are lost."""
    embedding = {"params": [model.shared.weight], "lr": 7 * lr}
    others = {"params": [p for p in model.parameters() if p is not model.shared.weight]}
    return torch.optim.AdamW([embedding, others], lr=lr, weight_decay=0.01, fused=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--poems", type=Path, required=True, help="of recipes/poem_t5/prepare_poems.py")
    parser.add_argument("--out", type=Path, default=Path("runs/poem_base"))
    parser.add_argument("--steps", type=int, default=15_000)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--start", type=Path, help="a poem model whose embedding and decoder to begin with")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if (args.out / LOG).is_file():
        return  # finished before

    learnt, kept_aside = (read_split(args.poems, split) for split in ("train", "valid"))
    characters = sorted(vocabulary(learnt))
    tokenizer = PoemWriter.from_pretrained(args.start).tokenizer if args.start else character_tokenizer(characters)
    counts = count_words(learnt)
    train = tokenize(tokenizer, completions(learnt, counts, args.seed))
    valid = tokenize(tokenizer, completions(kept_aside, counts, args.seed + 1))
    torch.manual_seed(args.seed)
    model = new_model(tokenizer, args.start)
    model.set_attn_implementation("eager")  # for sequences this short 1.8 times as fast a step as sdpa, on a CPU
    print(f"{len(learnt):,} poems, {len(train):,} pairs, {len(tokenizer):,} tokens, {model.num_parameters():,} weights")

    trainer = Seq2SeqTrainer(
        model,
        Seq2SeqTrainingArguments(
            output_dir=str(args.out),
            max_steps=args.steps,
            per_device_train_batch_size=args.batch_size,
            per_device_eval_batch_size=args.batch_size,
            learning_rate=args.lr,
            lr_scheduler_type="cosine",
            warmup_steps=min(100, args.steps // 10),
            bf16=True,
            use_cpu=not torch.cuda.is_available(),
            train_sampling_strategy="group_by_length",  # little padding
            eval_strategy="steps",
            eval_steps=1000,
            save_steps=250,
            save_total_limit=2,
            logging_steps=50,
            report_to="none",
            seed=args.seed,
            remove_unused_columns=False,
        ),
        train_dataset=train,
        eval_dataset=valid,
        data_collator=partial(collate, pad_token_id=tokenizer.pad_token_id),
        optimizers=(build_optimizer(model, args.lr), None),
    )
    started = time.time()
    trainer.train(resume_from_checkpoint=last_checkpoint(args.out))
    trainer.save_model(str(args.out))
    tokenizer.save_pretrained(args.out)
    log = {"poems": len(learnt), "pairs": len(train), "minutes": round((time.time() - started) / 60, 1)}
    (args.out / LOG).write_text(json.dumps(log | {"log": trainer.state.log_history}, indent=1))


if __name__ == "__main__":
    main()
