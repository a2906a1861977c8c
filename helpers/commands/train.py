"""The commands that train: python -m helpers train clip | train lit | train poem; captioners are in `captions`.

On several processes: torchrun --nproc_per_node 2 -m helpers train clip ...
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from helpers.commands.shared import from_options, positive
from helpers.options import LoopConfig, PoemTrainingConfig, TrainingConfig

if TYPE_CHECKING:
    from helpers.data import Splits
    from helpers.training import Progress

FILE_HELP = "@FILE: options from a file, # begins a comment; of an option that is given twice the later one counts."


def add_training_commands(commands: argparse._SubParsersAction) -> argparse._SubParsersAction:
    """Returns what takes further models."""
    train = commands.add_parser("train", help="train a model").add_subparsers(required=True, metavar="MODEL")
    clip = add_training_command(train, "clip", "a CLIP from ResNet34 and DistilBERT (notebook 01)")
    clip.add_argument("--frozen", action="store_true", help="train the projection heads alone, on stored features")
    clip.add_argument("--start", type=Path, metavar="DIR", help="begin with this model, say one trained with --frozen")
    clip.add_argument("--image-weights", help="imagenet, a .safetensors file of a ResNet34, or a model of ours")
    clip.add_argument("--text-model", help="hub id or folder of a DistilBERT, or a model of ours")
    clip.add_argument("--image-size", type=positive, help="pixels")
    clip.add_argument("--image-lr", type=float, default=TrainingConfig.image_lr)
    clip.set_defaults(run=run_train_clip)

    lit = add_training_command(train, "lit", "a BertCLIP: a Chinese BERT against a locked image tower (notebook 02)")
    lit.add_argument("--image-tower", help="hub id or folder of a ViT, a ResNet or a CLIP, or a model of ours")
    lit.add_argument("--text-model", help='hub id or folder of a Chinese BERT, or "new" for a small untrained one')
    lit.add_argument("--dim", type=positive, help="of the shared space (default: 512)")
    lit.set_defaults(run=run_train_lit, language="zh")

    add_poem_command(train)
    return train


def add_training_command(train: argparse._SubParsersAction, name: str, text: str) -> argparse.ArgumentParser:
    """Options of both trainings of a CLIP."""
    parser = add_run_command(train, name, text, TrainingConfig)
    parser.add_argument("--pooling", choices=("mean", "cls", "mean of 3 layers"), help="of the text (default: mean)")
    parser.add_argument("--dropout", type=float, help="of the projection heads (default: 0.1)")
    parser.add_argument(
        "--chunk-size", type=positive, help="pairs encoded at a time, to save memory; the gradient is the same"
    )
    parser.add_argument("--head-lr", type=float, default=TrainingConfig.head_lr)
    parser.add_argument("--text-lr", type=float, default=TrainingConfig.text_lr)
    return parser


def add_run_command(
    train: argparse._SubParsersAction, name: str, text: str, default: type[LoopConfig]
) -> argparse.ArgumentParser:
    """What every run on the loop of ours has. `train lit @FILE` reads options from a file, with comments after #."""
    parser = train.add_parser(name, help=text, fromfile_prefix_chars="@", epilog=FILE_HELP)

    def words(line: str) -> list[str]:
        try:
            return shlex.split(line, comments=True)
        except ValueError as error:
            parser.error(f"{line!r}: {error}")

    parser.convert_arg_line_to_args = words
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="the trained model; checkpoints go there too"
    )
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint in --out")
    parser.add_argument("--profile", choices=("mini", "full"), default="mini", help="default data and models")
    add_data_arguments(parser)
    parser.add_argument("--epochs", type=positive, default=default.epochs)
    parser.add_argument("--batch-size", type=positive, default=default.batch_size, help="pairs over all processes")
    parser.add_argument("--captions-per-image", type=positive, default=default.captions_per_image)
    parser.add_argument("--weight-decay", type=float, default=default.weight_decay)
    parser.add_argument("--save-every", type=positive, default=default.save_every, metavar="STEPS")
    parser.add_argument("--seed", type=int, default=default.seed)
    return parser


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", help="drawn, a parquet or csv file, a folder, or a hub id like lmms-lab/flickr30k")
    parser.add_argument("--split-list", metavar="FILE", help="csv or Karpathy's json: which picture is in which split")
    parser.add_argument("--language", choices=("en", "zh", "both"), default="en")


def run_train_clip(args: argparse.Namespace) -> int:
    from helpers.clip import fine_tune, from_backbones, load_clip, train_heads
    from helpers.config import load_config, seed_everything

    profile = load_config(args.profile)
    splits = load_splits(args.data or profile.captions, args)
    seed_everything(args.seed)  # the new heads
    asked = given_options(args, "pooling", "dropout", "image_size")
    if args.start:
        model = load_clip(args.start, **asked)
    else:
        model = from_backbones(
            args.image_weights or profile.image_backbone,
            args.text_model or profile.text_backbone,
            **{"image_size": profile.image_size, **asked},
        )
    train = train_heads if args.frozen else fine_tune
    return report(args, train(*model, splits, from_options(TrainingConfig, args), args.out, resume=args.resume))


def run_train_lit(args: argparse.Namespace) -> int:
    from helpers.chinese_clip import from_towers, join_towers, load_image_tower, new_bert, train_lit
    from helpers.config import load_config, seed_everything
    from helpers.data import DRAWN, flatten

    profile = load_config(args.profile)
    splits = load_splits(args.data or DRAWN, args)  # no set of Chinese captions is every reader's to load
    seed_everything(args.seed)  # the new heads and perhaps the new BERT
    asked = given_options(args, "pooling", "dropout", "dim")
    image_tower, text_model = args.image_tower or profile.locked_image_tower, args.text_model or profile.chinese_bert
    if text_model == "new":
        texts, _ = flatten(splits.train.in_language(args.language))
        model = join_towers(load_image_tower(image_tower), *new_bert(texts), **asked)
    else:
        model = from_towers(image_tower, text_model, **asked)
    return report(args, train_lit(*model, splits, from_options(TrainingConfig, args), args.out, resume=args.resume))


def load_splits(data: str, args: argparse.Namespace) -> Splits:
    """The training and the validation split; ValueError if they would be the same pictures or lack captions."""
    from helpers.data import Splits, load_captions

    if Path(data).is_file() and Path(data).suffix == ".parquet" and not args.split_list:
        raise ValueError(f"{data}: one file cannot both train and validate; give --split-list, or a folder of splits")
    train, val = (load_captions(data, split, args.split_list) for split in ("train", "val"))
    for split in (train, val):
        split.in_language(args.language)  # complains before large models are loaded
    return Splits(train, val, args.language)


def given_options(args: argparse.Namespace, *names: str) -> dict[str, object]:
    """Those of the options that were given."""
    return {name: getattr(args, name) for name in names if getattr(args, name) is not None}


def report(args: argparse.Namespace, progress: Progress) -> int:
    """The last epoch's figures, in one line."""
    if progress.epochs and int(os.environ.get("RANK", 0)) == 0:
        last = "  ".join(f"{name} {value:.3g}" for name, value in progress.epochs[-1].items())
        print(f"{args.out}: {progress.step} steps  {last}", file=sys.stderr)
    return 0


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
    from helpers.poems import read_split

    profile = load_config(args.profile)
    config = from_options(PoemTrainingConfig, args)
    train, valid = (read_split(args.data or profile.poems, split) for split in ("train", "valid"))
    from helpers.poems import PoemWriter, fine_tune_t5

    writer = PoemWriter.from_pretrained(args.model or profile.poem_base)
    log = fine_tune_t5(writer.model, writer.tokenizer, train, valid, config, args.out, args.resume)
    losses = [entry["eval_loss"] for entry in log if "eval_loss" in entry]
    if losses:
        print(f"{args.out}: loss {min(losses):.3f} on {len(valid)} other poems", file=sys.stderr)
    return 0
