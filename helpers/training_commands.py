"""The commands that train and measure: python -m helpers train clip | evaluate retrieval.

On several processes: torchrun --nproc_per_node 2 -m helpers train clip ...
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path


def add_training_commands(commands: argparse._SubParsersAction) -> None:
    train = commands.add_parser("train", help="train a model").add_subparsers(required=True, metavar="MODEL")
    clip = train.add_parser("clip", help="a CLIP from ResNet34 and DistilBERT (notebook 01)")
    clip.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="the trained model; checkpoints go there too"
    )
    clip.add_argument("--resume", action="store_true", help="go on from the last checkpoint in --out")
    clip.add_argument("--frozen", action="store_true", help="train the projection heads alone, on stored features")
    clip.add_argument("--start", type=Path, metavar="DIR", help="begin with this model, say one trained with --frozen")
    clip.add_argument("--profile", choices=("mini", "full"), default="mini", help="default data and backbones")
    add_data_arguments(clip)
    clip.add_argument("--image-weights", help="imagenet, a .safetensors file of a ResNet34, or a model of ours")
    clip.add_argument("--text-model", help="hub id or folder of a DistilBERT, or a model of ours")
    clip.add_argument("--pooling", choices=("mean", "cls", "mean of 3 layers"), help="of the text (default: mean)")
    clip.add_argument("--dropout", type=float, help="of the projection heads (default: 0.1)")
    clip.add_argument("--image-size", type=positive, help="pixels")
    clip.add_argument("--epochs", type=positive, default=3)
    clip.add_argument("--batch-size", type=positive, default=128, help="pairs over all processes (default: 128)")
    clip.add_argument(
        "--chunk-size", type=positive, help="pairs encoded at a time, to save memory; the gradient is the same"
    )
    clip.add_argument("--captions-per-image", type=positive, default=2)
    clip.add_argument("--head-lr", type=float, default=1e-3)
    clip.add_argument("--image-lr", type=float, default=1e-4)
    clip.add_argument("--text-lr", type=float, default=5e-5)
    clip.add_argument("--weight-decay", type=float, default=0.1)
    clip.add_argument("--save-every", type=positive, default=200, metavar="STEPS")
    clip.add_argument("--seed", type=int, default=0)
    clip.set_defaults(run=run_train_clip)

    evaluate = commands.add_parser("evaluate", help="measure a model").add_subparsers(required=True, metavar="WHAT")
    retrieval = evaluate.add_parser("retrieval", help="recall@k of pictures and captions, both ways")
    retrieval.add_argument("--checkpoint", required=True, help="a folder written by train clip, or a Chinese CLIP")
    retrieval.add_argument("--split", choices=("train", "val", "test"), default="val")
    retrieval.add_argument("--image-size", type=positive, help="pixels, other than in training (a model of ours only)")
    retrieval.add_argument("--json", action="store_true", help="one JSON object")
    add_data_arguments(retrieval)
    retrieval.set_defaults(run=run_evaluate_retrieval)


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", help="drawn, a parquet file, a folder, or a hub id like lmms-lab/flickr30k")
    parser.add_argument("--split-list", metavar="FILE", help="csv or Karpathy's json: which picture is in which split")
    parser.add_argument("--language", choices=("en", "zh", "both"), default="en")


def positive(text: str) -> int:
    """A whole number above zero."""
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f"not at least 1: {text}")
    return int(text)


def hub_needed(*names: str | None) -> dict[str, bool]:
    """The change to a `Config` by which it asks the hub, if one of the names is to be found there."""
    from helpers.caption_files import is_hub_id

    return {"offline": False} if any(name and is_hub_id(name) for name in names) else {}


def run_train_clip(args: argparse.Namespace) -> int:
    from helpers.config import load_config, seed_everything

    profile = load_config(args.profile, **hub_needed(args.data, args.text_model))
    from helpers.captions import load_captions
    from helpers.clip_bundle import CLIPBundle
    from helpers.train import TrainingConfig
    from helpers.train_clip import fine_tune, train_heads

    config = TrainingConfig(
        epochs=args.epochs, batch_size=args.batch_size, captions_per_image=args.captions_per_image,
        chunk_size=args.chunk_size, head_lr=args.head_lr, image_lr=args.image_lr, text_lr=args.text_lr,
        weight_decay=args.weight_decay, save_every=args.save_every, seed=args.seed,
    )  # fmt: skip
    data = args.data or profile.captions
    if Path(data).is_file() and not args.split_list:
        raise ValueError(f"{data}: one file cannot both train and validate; give --split-list, or a folder of splits")
    train, val = (load_captions(data, split, args.split_list) for split in ("train", "val"))
    seed_everything(args.seed)  # the new heads
    asked = {"pooling": args.pooling, "dropout": args.dropout, "image_size": args.image_size}
    asked = {name: value for name, value in asked.items() if value is not None}
    if args.start:
        bundle = CLIPBundle.load(args.start, **asked)
    else:
        image_weights, text_model = (
            args.image_weights or profile.image_backbone,
            args.text_model or profile.text_backbone,
        )
        bundle = CLIPBundle.from_backbones(image_weights, text_model, **{"image_size": profile.image_size, **asked})
    run = train_heads if args.frozen else fine_tune
    progress = run(bundle, train, val, config, args.out, language=args.language, resume=args.resume)
    if progress.epochs and int(os.environ.get("RANK", 0)) == 0:
        last = "  ".join(f"{name} {value:.3g}" for name, value in progress.epochs[-1].items())
        print(f"{args.out}: {progress.step} steps  {last}", file=sys.stderr)
    return 0


def run_evaluate_retrieval(args: argparse.Namespace) -> int:
    from helpers.config import load_config

    load_config("mini", **hub_needed(args.checkpoint, args.data))
    from helpers.captions import load_captions
    from helpers.chinese_clip import ImageTextEncoder
    from helpers.clip_bundle import CLIPBundle
    from helpers.evaluate import retrieval

    if args.image_size:
        encoder = ImageTextEncoder.of_bundle(CLIPBundle.load(args.checkpoint, image_size=args.image_size))
    else:
        encoder = ImageTextEncoder.from_pretrained(args.checkpoint)
    data = load_captions(args.data or "drawn", args.split, args.split_list)
    figures = retrieval(encoder, data, args.language)
    if args.json:
        print(json.dumps(figures))
        return 0
    print(f"{figures['pictures']} pictures, {figures['captions']} captions")
    for way in ("text_to_image", "image_to_text"):
        shares = "  ".join(f"R@{k} {v:.1f} (chance {figures['chance'][way][k]:.3g})" for k, v in figures[way].items())
        print(f"{way.replace('_', ' ')}: {shares}")
    return 0
