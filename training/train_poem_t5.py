"""Train the embedded poem T5 on the quatrains of chinese-poetry.

    python -m training.train_poem_t5 --corpus CHINESE_POETRY --exclude ccpc_valid_v1.0.json --ahead 4 --out runs/ahead
    python -m training.train_poem_t5 --corpus CHINESE_POETRY --exclude ccpc_valid_v1.0.json --start runs/ahead \
        --steps 2000 --lr 7e-4 --out runs/poem_t5

The first run predicts all remaining lines (cheap supervision), the second the next line alone, as it will be used.
CHINESE_POETRY is the unpacked registry package (`npm pack chinese-poetry@2.0.1`). Every poem that shares two lines
with a poem of an --exclude file is left out. A run that was killed continues from its last checkpoint.
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
from transformers import Seq2SeqTrainer, Seq2SeqTrainingArguments, T5Config, T5ForConditionalGeneration
from transformers.trainer_utils import get_last_checkpoint

from helpers.keywords import load_vocabulary
from helpers.poem_t5 import EOS, character_tokenizer, collate, encode
from helpers.poems import (
    Quatrain,
    count_words,
    read_ccpc,
    read_chinese_poetry,
    sample_keywords,
    source_text,
    target_text,
    without_shared_lines,
)

MIN_COUNT = 3  # rarer characters have no place in the vocabulary; poems that use them are left out
VALIDATION = 1000  # poems kept aside for the loss curve


def prepare(corpus: Path, exclude: Sequence[Path]) -> tuple[list[Quatrain], list[str]]:
    """The training poems and the characters of the vocabulary (those of the keyword list included)."""
    held_out = [poem for path in exclude for poem in read_ccpc(path)]
    poems = without_shared_lines(read_chinese_poetry(corpus), held_out)
    counts = Counter(char for poem in poems for line in poem.lines for char in line)
    characters = {char for char, count in counts.items() if count >= MIN_COUNT}
    characters |= {char for keyword in load_vocabulary() for char in keyword.word}
    poems = [poem for poem in poems if characters.issuperset("".join(poem.lines))]
    return poems, sorted(characters)


def line_pairs(poems: Sequence[Quatrain], counts: Counter[str], seed: int, ahead: int = 1) -> Iterator[tuple[str, str]]:
    """(source, target) for each line of each poem, with keywords drawn anew for every line.

    The target is the next line, or with `ahead` > 1 that line and those after it, up to `ahead` lines: a pass over
    the same source then teaches up to four times as much.
    """
    rng = random.Random(seed)
    for poem in poems:
        for i in range(4):
            keywords = sample_keywords(poem.lines, counts, rng) or [rng.choice(poem.lines)[:2]]
            target = "".join(target_text(line, EOS) for line in poem.lines[i : i + ahead])
            yield source_text(keywords, poem.lines[:i], EOS), target


def tokenize(tokenizer, pairs: Iterator[tuple[str, str]]) -> list[dict[str, list[int]]]:
    sources, targets = zip(*pairs, strict=True)
    ids = zip(encode(tokenizer, sources), encode(tokenizer, targets), strict=True)
    return [{"input_ids": source, "labels": target} for source, target in ids]


def build_optimizer(model: T5ForConditionalGeneration, lr: float) -> torch.optim.AdamW:
    """AdamW with a larger step for the embedding, which T5 initialises with a standard deviation of 1 and ties to the
    output: with one learning rate it hardly moves and the first thousand steps are lost."""
    embedding = {"params": [model.shared.weight], "lr": 7 * lr}
    others = {"params": [p for p in model.parameters() if p is not model.shared.weight]}
    return torch.optim.AdamW([embedding, others], lr=lr, weight_decay=0.01)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--exclude", type=Path, nargs="*", default=[])
    parser.add_argument("--out", type=Path, default=Path("runs/poem_t5"))
    parser.add_argument("--steps", type=int, default=4600)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=1.5e-3)
    parser.add_argument("--ahead", type=int, default=1, help="how many lines a target holds, at most")
    parser.add_argument("--start", type=Path, help="go on from the weights of another run")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    poems, characters = prepare(args.corpus, args.exclude)
    random.Random(args.seed).shuffle(poems)
    tokenizer = character_tokenizer(characters)
    counts = count_words(poems)
    kept_aside = poems[:VALIDATION]
    learnt = without_shared_lines(poems[VALIDATION:], kept_aside)
    train = tokenize(tokenizer, line_pairs(learnt, counts, args.seed, args.ahead))
    valid = tokenize(tokenizer, line_pairs(kept_aside, counts, args.seed + 1))
    config = T5Config(
        vocab_size=len(tokenizer), d_model=288, d_kv=32, num_heads=9, d_ff=1152, num_layers=2, num_decoder_layers=4,
        dropout_rate=0.0, decoder_start_token_id=tokenizer.pad_token_id, pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    torch.manual_seed(args.seed)
    model = T5ForConditionalGeneration(config)
    if args.start:
        model = T5ForConditionalGeneration.from_pretrained(args.start)
    model.set_attn_implementation("eager")  # for sequences this short 1.8 times as fast a step as sdpa, on a CPU
    print(f"{len(poems):,} poems, {len(train):,} pairs, {len(tokenizer):,} tokens, {model.num_parameters():,} weights")

    trainer = Seq2SeqTrainer(
        model,
        Seq2SeqTrainingArguments(
            output_dir=str(args.out),
            max_steps=args.steps,
            per_device_train_batch_size=args.batch_size,
            per_device_eval_batch_size=args.batch_size,
            learning_rate=args.lr,
            lr_scheduler_type="cosine",
            warmup_steps=min(300, args.steps // 10),
            bf16=True,
            use_cpu=not torch.cuda.is_available(),
            train_sampling_strategy="group_by_length",  # little padding: sources have 8 to 45 tokens
            eval_strategy="steps",
            eval_steps=500,
            save_steps=250,
            save_total_limit=2,
            logging_steps=50,
            report_to="none",
            seed=args.seed,
            remove_unused_columns=False,
        ),  # fmt: skip
        train_dataset=train,
        eval_dataset=valid,
        data_collator=partial(collate, pad_token_id=tokenizer.pad_token_id),
        optimizers=(build_optimizer(model, args.lr), None),
    )
    started = time.time()
    trainer.train(resume_from_checkpoint=get_last_checkpoint(args.out) if args.out.exists() else None)
    trainer.save_model(str(args.out))
    tokenizer.save_pretrained(args.out)
    log = {"poems": len(poems), "pairs": len(train), "minutes": round((time.time() - started) / 60, 1)}
    (args.out / "training.json").write_text(json.dumps(log | {"log": trainer.state.log_history}, indent=1))


if __name__ == "__main__":
    main()
