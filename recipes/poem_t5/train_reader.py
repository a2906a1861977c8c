"""Train the second reader: lines so far and the next line, among lines with the same rhyme and tones.

    python -m recipes.poem_t5.train_reader --poems runs/poems --writer helpers/assets/poem_t5 --out runs/poem_reader

A run that was killed continues from its last checkpoint; `--export FOLDER` writes it in eight bits when it is done.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch
from transformers import BertConfig, get_cosine_schedule_with_warmup

from helpers.clip import symmetric_cross_entropy
from helpers.poems import LineReader, PoemReader, PoemWriter, encode, joined, pad, read_ccpc, read_split
from helpers.storage import save_quantized_pretrained
from recipes.checkpoint import train
from recipes.poem_t5.alike import AlikePoems

LOG = "training.json"  # written last


def new_reader(writer: PoemWriter) -> LineReader:
    """A small one that begins with what the writer knows of characters: from random ones the loss stays where it is."""
    config = BertConfig(
        vocab_size=len(writer.tokenizer), hidden_size=288, num_hidden_layers=3, num_attention_heads=6,
        intermediate_size=864, max_position_embeddings=32, type_vocab_size=1,
        pad_token_id=writer.tokenizer.pad_token_id, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    model = LineReader(config)
    with torch.no_grad():
        model.bert.embeddings.word_embeddings.weight.copy_(0.05 * writer.model.shared.weight)
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--poems", type=Path, required=True, help="of recipes/poem_t5/prepare_poems.py")
    parser.add_argument("--writer", type=Path, required=True, help="the poem model: its characters and their embedding")
    parser.add_argument("--out", type=Path, default=Path("runs/poem_reader"))
    parser.add_argument("--start", type=Path, help="a second reader to go on with")
    parser.add_argument("--export", type=Path)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--lr", type=float, default=5e-4)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if (args.out / LOG).is_file():
        return  # finished before

    args.out.mkdir(parents=True, exist_ok=True)
    poems = read_split(args.poems, "train") + read_ccpc(args.poems / "fragments.json")
    alike = AlikePoems(poems, args.batch_size, args.seed)
    writer = PoemWriter.from_pretrained(args.writer)
    tokenizer = writer.tokenizer
    torch.manual_seed(args.seed)
    model = (PoemReader.from_pretrained(args.start).model if args.start else new_reader(writer)).train()
    print(f"{len(alike):,} poems, {model.num_parameters():,} weights", flush=True)

    def loss_at(step: int) -> torch.Tensor:
        number, batch = alike.batch(step)
        texts = [joined(poem.lines[:number]) for poem in batch], [poem.lines[number] for poem in batch]
        before, lines = (pad(encode(tokenizer, each), tokenizer.pad_token_id) for each in texts)
        with torch.autocast("cpu", torch.bfloat16):
            return symmetric_cross_entropy(model.score_matrix(before, lines))

    scale = {"params": [model.logit_scale], "lr": 20 * args.lr, "weight_decay": 0.0}  # it has a long way to go
    others = {"params": [p for p in model.parameters() if p is not model.logit_scale]}
    optimizer = torch.optim.AdamW([others, scale], lr=args.lr, betas=(0.9, 0.98), weight_decay=0.05, fused=True)
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
