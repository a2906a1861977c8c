"""The commands that measure: python -m helpers evaluate retrieval | pipeline | captions."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from helpers.commands.captions import embed_sets
from helpers.commands.shared import positive
from helpers.commands.train import add_data_arguments
from helpers.options import DEFAULT, FEW, FORMS, WAYS, PoemOptions


def add_evaluate_commands(commands: argparse._SubParsersAction) -> None:
    evaluate = commands.add_parser("evaluate", help="measure a model").add_subparsers(required=True, metavar="WHAT")
    retrieval = evaluate.add_parser("retrieval", help="recall@k of pictures and captions, both ways")
    retrieval.add_argument("--checkpoint", required=True, help="a folder written by train, or a Chinese CLIP")
    retrieval.add_argument("--split", choices=("train", "val", "test"), default="val")
    retrieval.add_argument("--image-size", type=positive, help="pixels, other than in training (of train clip only)")
    retrieval.add_argument("--json", action="store_true", help="one JSON object")
    add_data_arguments(retrieval)
    retrieval.set_defaults(run=run_evaluate_retrieval)

    pipeline = evaluate.add_parser("pipeline", help="keywords and poems for labelled photographs, by another model")
    pipeline.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="labels.json, and pictures in images/"
    )
    pipeline.add_argument("--judge", metavar="NAME", help="an image-text model that did not choose (default: ours)")
    pipeline.add_argument("--ways", nargs="+", choices=WAYS, help="default: all that there are models for")
    pipeline.add_argument("--form", choices=FORMS, default=DEFAULT.form)
    pipeline.add_argument(
        "--n", type=positive, default=FEW, help="candidates of which one is chosen (default: %(default)s)"
    )
    pipeline.add_argument("--seeds", type=positive, default=3, help="runs, each with a seed of its own (default: 3)")
    pipeline.add_argument(
        "--gallery", type=picture_file, metavar="FILE", help="draw the poems that were found best and worst"
    )
    pipeline.add_argument("--profile", choices=("mini", "full"), default="mini")
    pipeline.add_argument("--json", action="store_true", help="one JSON object")
    pipeline.set_defaults(run=run_evaluate_pipeline)

    captions = evaluate.add_parser("captions", help="a captioner, beside captions copied from alike pictures")
    captions.add_argument("--model", type=Path, metavar="DIR", help="of train clipcap, capdec or coca (default: ours)")
    captions.add_argument("--encoder", metavar="NAME", help="whose embeddings it reads (default: ours)")
    captions.add_argument("--split", choices=("val", "test"), default="val")
    captions.add_argument("--profile", choices=("mini", "full"), default="mini")
    captions.add_argument("--json", action="store_true", help="one JSON object")
    add_data_arguments(captions)
    captions.set_defaults(run=run_evaluate_captions, language="zh")


def picture_file(text: str) -> Path:
    """A path that a picture can be written to: .png, .jpg or .webp."""
    if Path(text).suffix.lower() not in (".png", ".jpg", ".jpeg", ".webp"):
        raise argparse.ArgumentTypeError(f"not a .png, .jpg or .webp file: {text}")
    return Path(text)


def run_evaluate_retrieval(args: argparse.Namespace) -> int:
    from helpers.chinese_clip import ImageTextEncoder
    from helpers.clip import load_clip
    from helpers.data import load_captions
    from helpers.evaluate import evaluate_retrieval

    if args.image_size:
        encoder = ImageTextEncoder(*load_clip(args.checkpoint, image_size=args.image_size))
    else:
        encoder = ImageTextEncoder.from_pretrained(args.checkpoint)
    data = load_captions(args.data or "drawn", args.split, args.split_list)
    figures = evaluate_retrieval(encoder, data, args.language)
    if args.json:
        print(json.dumps(figures))
        return 0
    print(f"{figures['pictures']} pictures, {figures['captions']} captions in {args.language!r}")
    for way in ("text_to_image", "image_to_text"):
        shares = "  ".join(f"R@{k} {v:.1f} (chance {figures['chance'][way][k]:.3g})" for k, v in figures[way].items())
        print(f"{way.replace('_', ' ')}: {shares}")
    return 0


def run_evaluate_pipeline(args: argparse.Namespace) -> int:
    from helpers.evaluate import read_labelled_photos

    photos = read_labelled_photos(args.data)
    pipeline = args.load(args.profile)
    from helpers.chinese_clip import ImageTextEncoder
    from helpers.evaluate import evaluate_pipeline

    ways = args.ways or pipeline.ways
    judge = ImageTextEncoder.from_pretrained(args.judge or pipeline.config.judge, pipeline.config.device)
    options = [PoemOptions(form=args.form, n=args.n, way=way) for way in ways]
    figures = evaluate_pipeline(pipeline, judge, photos, options, args.seeds)
    print(json.dumps(figures, ensure_ascii=False) if args.json else pipeline_text(figures))  # before all that may fail
    if args.gallery:
        from helpers.evaluate import best_and_worst

        best_and_worst(photos, figures["ways"][ways[0]]["poems"]).savefig(args.gallery, dpi=80)
    return 0


def pipeline_text(figures: dict) -> str:
    """The figures as a person reads them."""
    chance, words, keywords = figures["chance"], figures["words"], figures["keywords"]
    rows = [
        f"{figures['photos']} photographs, {figures['seeds']} seeds; recall by a model that did not choose",
        f"label words: mAP {words['map']:.3f}, first word right {100 * words['top1']:.1f}%",
        f"keywords: {100 * keywords['precision']:.1f}% of the {keywords['labels_named']} labels they name are true",
        recall_row("chance", chance),
        recall_row("the keywords alone", keywords["recall"]),
    ]
    for way, found in figures["ways"].items():
        if found["keywords"] != keywords:
            rows.append(recall_row(f"the {way}'s keywords", found["keywords"]["recall"]))
        rows += [recall_row(f"{way}, {choice}", recall) for choice, recall in found["recall"].items()]
        verse = "  ".join(f"{name} {100 * share:.1f}%" for name, share in found["verse"].items())
        shared = found["diversity"]["shared_between_seeds"]
        rows.append(
            f"  {verse}  keywords used {100 * found['keyword_recall']:.1f}%  shared between seeds {100 * shared:.1f}%"
        )
    return "\n".join(rows)


def recall_row(name: str, recall: dict[int, float]) -> str:
    return f"{name:22}" + "  ".join(f"R@{k} {share:5.1f}" for k, share in recall.items())


def run_evaluate_captions(args: argparse.Namespace) -> int:
    from helpers.coca import load_captioner
    from helpers.config import load_config
    from helpers.data import load_captions
    from helpers.evaluate import evaluate_captions

    profile = load_config(args.profile)
    if args.model and not args.model.is_dir():
        raise ValueError(f"{args.model}: no folder; only captioners that read embeddings are measured here")
    data = [load_captions(args.data or "drawn", split, args.split_list) for split in ("train", args.split)]
    encoder, (train, val) = embed_sets(args, profile, *data)
    captioner = load_captioner(str(args.model or profile.captioner), encoder, profile.offline)
    report = evaluate_captions(captioner, train, val, encoder)
    print(json.dumps(report) if args.json else captions_text(report))
    return 0


def captions_text(report: dict[str, dict[str, float]]) -> str:
    """A row for each way to a caption."""
    rows = [
        f"{name:10}" + "  ".join(f"{key} {value:.3g}" for key, value in row.items()) for name, row in report.items()
    ]
    return "\n".join(rows)
