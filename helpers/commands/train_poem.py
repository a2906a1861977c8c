"""The command that fine-tunes the poem model: python -m helpers train poem."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from helpers.commands.shared import from_options, hub_needed, positive
from helpers.training_config import PoemTrainingConfig


def add_poem_command(train: argparse._SubParsersAction) -> None:
    default = PoemTrainingConfig
    poem = train.add_parser("poem", help="a T5 that writes the next line of a quatrain (notebook 03)")
    poem.add_argument("--out", type=Path, required=True, metavar="DIR", help="the trained model, and its checkpoints")
    poem.add_argument("--resume", action="store_true", help="go on from the last checkpoint in --out")
    poem.add_argument("--profile", choices=("mini", "full"), default="mini", help="default data and model")
    poem.add_argument("--model", metavar="NAME", help="the T5 to begin with: a hub id or a folder")
    poem.add_argument("--data", metavar="DIR", help="poems: *_train*.json and *_valid*.json, json lines as of THU-CCPC")
    poem.add_argument("--steps", type=positive, default=default.steps, help=f"at most (default: {default.steps})")
    poem.add_argument("--batch-size", type=positive, default=default.batch_size)
    poem.add_argument("--accumulate", type=positive, default=default.accumulate, help="batches a step")
    poem.add_argument("--lr", type=float, default=default.lr)
    poem.add_argument("--evaluate-every", type=positive, default=default.evaluate_every, metavar="STEPS")
    poem.add_argument("--patience", type=positive, default=default.patience, help="evaluations without a better loss")
    poem.add_argument("--seed", type=int, default=default.seed)
    poem.set_defaults(run=run_train_poem)


def run_train_poem(args: argparse.Namespace) -> int:
    from helpers.config import load_config
    from helpers.poems.corpus import read_split

    profile = load_config(args.profile, **hub_needed(args.model))
    config = from_options(PoemTrainingConfig, args)
    train, valid = (read_split(args.data or profile.poems, split) for split in ("train", "valid"))
    from helpers.poems.training import fine_tune
    from helpers.poems.writer import PoemWriter

    writer = PoemWriter.from_pretrained(args.model or profile.poem_base)
    log = fine_tune(writer.model, writer.tokenizer, train, valid, config, args.out, args.resume)
    losses = [entry["eval_loss"] for entry in log if "eval_loss" in entry]
    if losses:
        print(f"{args.out}: loss {min(losses):.3f} on {len(valid)} other poems", file=sys.stderr)
    return 0
