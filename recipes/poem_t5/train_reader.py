"""Train the second reader: lines so far and the next line, among lines with the same rhyme and tones.

    python -m recipes.poem_t5.train_reader --poems runs/poems --writer helpers/assets/poem_t5 --out runs/poem_reader

A run that was killed continues from its last checkpoint; `--export FOLDER` writes it in eight bits when it is done.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import BertConfig, get_cosine_schedule_with_warmup

from helpers.clip import contrastive_loss
from helpers.poems import LineReader, PoemWriter, Quatrain, encode, joined, pad, read_ccpc, read_split
from helpers.storage import save_quantized_pretrained
from helpers.verse import LEVEL, enforced, tone_pattern
from recipes.checkpoint import train

LOG = "training.json"  # written last


class Lessons:
    """The batches of every step: poems whose last lines are alike in length, rhyme and tones, so that neither helps."""

    def __init__(self, poems: Sequence[Quatrain], size: int, seed: int) -> None:
        self.size, self.seed = size, seed
        buckets = defaultdict(list)
        for poem in poems:
            for group in enforced().groups(poem.lines[3][-1], LEVEL):
                buckets[len(poem.lines[3]), group, tone_pattern(poem.lines[3][:2])[1]].append(poem)
        self.buckets = [bucket for bucket in buckets.values() if len(bucket) >= size]
        self.weights = [len(bucket) for bucket in self.buckets]

    def pairs(self, step: int) -> tuple[list[str], list[str]]:
        """B texts of one, two or three lines, and the lines that follow them."""
        rng = random.Random(f"{self.seed} {step}")
        (bucket,) = rng.choices(self.buckets, self.weights)
        number = rng.choice((1, 2, 3, 3))
        poems = rng.sample(bucket, self.size)
        return [joined(poem.lines[:number]) for poem in poems], [poem.lines[number] for poem in poems]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--poems", type=Path, required=True, help="of recipes/poem_t5/prepare_poems.py")
    parser.add_argument("--writer", type=Path, required=True, help="the poem model: its characters and their embedding")
    parser.add_argument("--out", type=Path, default=Path("runs/poem_reader"))
    parser.add_argument("--export", type=Path)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--lr", type=float, default=5e-4)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if (args.out / LOG).is_file():
        return  # finished before

    args.out.mkdir(parents=True, exist_ok=True)
    lessons = Lessons(
        read_split(args.poems, "train") + read_ccpc(args.poems / "fragments.json"), args.batch_size, args.seed
    )
    writer = PoemWriter.from_pretrained(args.writer)
    tokenizer = writer.tokenizer
    torch.manual_seed(args.seed)
    model = LineReader(BertConfig(
        vocab_size=len(tokenizer), hidden_size=288, num_hidden_layers=3, num_attention_heads=6, intermediate_size=864,
        max_position_embeddings=32, type_vocab_size=1, pad_token_id=tokenizer.pad_token_id,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )).train()  # fmt: skip
    with torch.no_grad():  # what the writer knows of characters; from random ones the loss stays where it begins
        model.bert.embeddings.word_embeddings.weight.copy_(0.05 * writer.model.shared.weight)
    print(
        f"{sum(lessons.weights):,} poems in {len(lessons.buckets)} buckets, {model.num_parameters():,} weights",
        flush=True,
    )

    def loss_at(step: int) -> torch.Tensor:
        before, lines = (pad(encode(tokenizer, texts), tokenizer.pad_token_id) for texts in lessons.pairs(step))
        with torch.autocast("cpu", torch.bfloat16):
            embeds = model(before, "before"), model(lines, "after")
        return contrastive_loss(embeds[0].float(), embeds[1].float(), model.logit_scale)

    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr, betas=(0.9, 0.98), weight_decay=0.05, fused=True)
    schedule = get_cosine_schedule_with_warmup(optimizer, args.steps // 20, args.steps)
    started = time.time()
    train(args.out, model, optimizer, schedule, args.steps, loss_at, [model.logit_scale], say_every=50, keep_every=250)
    for folder, save in (
        (args.out, model.save_pretrained),
        (args.export, lambda f: save_quantized_pretrained(model, f)),
    ):
        if folder:
            save(folder)
            tokenizer.save_pretrained(folder)
    log = {"steps": args.steps, "batch_size": args.batch_size, "minutes": round((time.time() - started) / 60, 1)}
    (args.out / LOG).write_text(json.dumps(log, indent=1))


if __name__ == "__main__":
    main()
