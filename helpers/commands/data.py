"""The commands that make a training set: python -m helpers download-images | filter-pairs | write-csv."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from helpers.commands.shared import positive


def add_data_commands(commands: argparse._SubParsersAction) -> None:
    download = commands.add_parser("download-images", help="fetch the pictures of a csv with text,url,filename")
    download.add_argument("pairs", type=Path, metavar="PAIRS.csv")
    download.add_argument("--out", type=Path, required=True, metavar="DIR", help="the pictures, and failures.csv")
    download.add_argument("--workers", type=positive, default=16, help="pictures at a time (default: 16)")
    download.add_argument("--timeout", type=seconds, default=10, help="seconds to wait for a server (default: 10)")
    download.add_argument("--deadline", type=seconds, default=60, help="seconds for one picture (default: 60)")
    download.add_argument("--retries", type=count, default=3, help="after what may pass (default: 3)")
    download.set_defaults(run=run_download_images)

    clean = commands.add_parser("filter-pairs", help="keep the good pairs of a csv with text,url,filename")
    clean.add_argument("pairs", type=Path, metavar="PAIRS.csv")
    clean.add_argument("--images", type=Path, required=True, metavar="DIR", help="the pictures")
    clean.add_argument(
        "--out", type=Path, required=True, metavar="CLEAN.csv", help="the good pairs; CLEAN_rejected.csv has the others"
    )
    clean.add_argument("--language", choices=("zh", "en", "any"), default="zh")
    clean.add_argument("--min-side", type=positive, default=64, help="pixels (default: 64)")
    clean.add_argument("--max-aspect", type=float, default=3, help="long side over short side (default: 3)")
    clean.add_argument("--min-chars", type=positive, default=2)
    clean.add_argument("--max-chars", type=positive, default=100)
    clean.add_argument(
        "--max-repeats", type=positive, default=10, help="pictures with one text, texts with one picture (default: 10)"
    )
    clean.add_argument("--drop-lowest", type=share, metavar="SHARE", help="by the cosine of picture and text, say 0.1")
    clean.add_argument(
        "--model", help="for --drop-lowest; not the one to be evaluated afterwards (default: the embedded one)"
    )
    clean.set_defaults(run=run_filter_pairs)

    titles = commands.add_parser("write-csv", help="a set of captions as the csv that open_clip trains on")
    titles.add_argument("data", metavar="DATA", help="drawn, a parquet file, a folder, or a hub id")
    titles.add_argument("--out", type=Path, required=True, metavar="FILE.csv", help="the pictures go to FILE/")
    titles.add_argument("--split", choices=("train", "val", "test"), default="train")
    titles.add_argument("--split-list", metavar="FILE", help="csv or Karpathy's json: which picture is in which split")
    titles.add_argument("--language", choices=("en", "zh", "both"), default="zh")
    titles.add_argument("--first", type=positive, metavar="N", help="the first N pictures only")
    titles.set_defaults(run=run_write_csv)


def seconds(text: str) -> float:
    """A time above zero and below a day."""
    if not 0 < float(text) < 86_400:
        raise argparse.ArgumentTypeError(f"not between 0 and 86,400 seconds: {text}")
    return float(text)


def count(text: str) -> int:
    """A whole number, zero included."""
    if int(text) < 0:
        raise argparse.ArgumentTypeError(f"below 0: {text}")
    return int(text)


def share(text: str) -> float:
    """Above 0 and below 1."""
    if not 0 < float(text) < 1:
        raise argparse.ArgumentTypeError(f"not between 0 and 1: {text}")
    return float(text)


def run_download_images(args: argparse.Namespace) -> int:
    from helpers.data import FAILURES, Limits, download_images

    logging.getLogger("urllib3").setLevel(logging.ERROR)  # some servers' odd headers are not the reader's concern
    limits = Limits(args.timeout, args.deadline, args.retries)
    counts = download_images(args.pairs, args.out, limits, args.workers)
    summary = f"{counts.there:,} there already, {counts.downloaded:,} downloaded, {counts.failed:,} failed"
    print(summary + (f": see {args.out / FAILURES}" if counts.failed else ""), file=sys.stderr)
    if not counts.there + counts.downloaded:
        raise ValueError(f"{args.out}: not one picture of {args.pairs} is there")
    return 0


def run_filter_pairs(args: argparse.Namespace) -> int:
    from helpers.config import ASSETS

    if args.model and not args.drop_lowest:
        raise ValueError("--model is for --drop-lowest: say which share is to go, as in --drop-lowest 0.1")
    from helpers.chinese_clip import ImageTextEncoder
    from helpers.data import Rules, filter_pairs

    rules = Rules(args.language, args.min_side, args.max_aspect, args.min_chars, args.max_chars, args.max_repeats)
    encoder = ImageTextEncoder.from_pretrained(args.model or ASSETS / "image_text") if args.drop_lowest else None
    counts = filter_pairs(args.pairs, args.images, args.out, rules, encoder, args.drop_lowest or 0)
    kept = counts.pop("", 0)
    print(f"{kept:,} of {kept + counts.total():,} pairs kept: {args.out}", file=sys.stderr)
    for reason, number in counts.most_common():
        print(f"{number:9,}  {reason}", file=sys.stderr)
    return 0


def run_write_csv(args: argparse.Namespace) -> int:
    from helpers.data import load_captions, write_open_clip_csv

    data = load_captions(args.data, args.split, args.split_list)
    data = data.first(args.first) if args.first else data
    rows = write_open_clip_csv(data, args.language, args.out)
    print(f"{args.out}: {rows:,} captions of {len(data):,} pictures", file=sys.stderr)
    return 0
