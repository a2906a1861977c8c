"""The command that asks pictures about tables of phrases: python -m helpers interrogate IMAGE..."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from helpers.commands.shared import PictureReader, add_picture_options, as_json, positive
from helpers.options import INTERROGATION_MODES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from PIL import Image

    from helpers.captioning import Interrogation, ScoredPhrase
    from helpers.pipeline import ImageToPoem


def add_interrogate_command(commands: argparse._SubParsersAction) -> None:
    interrogate = commands.add_parser("interrogate", help="ask each picture about tables of phrases, and for a prompt")
    add_picture_options(interrogate)
    interrogate.add_argument("--mode", choices=INTERROGATION_MODES, default="best", help="how the prompt is found")
    interrogate.add_argument("--k", type=positive, default=3, help="phrases of each table (default: %(default)s)")
    interrogate.add_argument(
        "--captioner", metavar="NAME", help="as --model of caption, or a BLIP by hub id or folder (default: ours)"
    )
    interrogate.add_argument(
        "--encoder", metavar="NAME", help="who ranks: as of evaluate retrieval, or open_clip's ViT-B-32/openai"
    )
    interrogate.add_argument("--language", choices=("zh", "en"), default="zh", help="phrases, or their English glosses")
    interrogate.set_defaults(run=run_interrogate)


def run_interrogate(args: argparse.Namespace) -> int:
    reader, ask = PictureReader(args.images), None
    for paths, images in reader:
        ask = ask or make_ask(args, args.load(args.profile))
        for path, found in zip(paths, ask(images), strict=True):
            print(as_json(record(path, found)) if args.json else interrogation_text(path, found))
    return reader.status


def make_ask(
    args: argparse.Namespace, pipeline: ImageToPoem
) -> Callable[[Sequence[Image.Image]], Sequence[Interrogation]]:
    """What takes pictures to their answers, with the models that the options name."""
    from helpers.coca import load_captioner, load_encoder
    from helpers.pipeline import interrogator_of

    offline = pipeline.config.offline
    captioner = load_captioner(args.captioner, pipeline.encoder, offline) if args.captioner else pipeline.captioner
    if args.encoder or args.language == "en":
        encoder = load_encoder(args.encoder, offline) if args.encoder else pipeline.encoder
        interrogator = interrogator_of(encoder, args.encoder or pipeline.config.image_text_model, args.language)
    else:
        interrogator = pipeline.interrogator

    def ask(images: Sequence[Image.Image]) -> list[Interrogation]:
        captions = captioner.caption(images)
        return interrogator(interrogator.encoder.encode_images(images), captions, args.mode, args.k)

    return ask


def record(path: str, found: Interrogation) -> dict:
    """One JSON object: the answer of one picture."""
    tables = {table: [scored(link) for link in row] for table, row in found.tables.items()}
    chain = {"chain": [scored(link) for link in found.chain]} if found.chain else {}
    return {"image": path, "caption": found.caption, "tables": tables, "prompt": found.prompt, **chain}


def scored(link: ScoredPhrase) -> dict:
    return {"phrase": link.phrase, "score": round(link.score, 4)}


def interrogation_text(path: str, found: Interrogation) -> str:
    """The best phrases of each table in a line, the chain with its scores link by link, the prompt."""
    tables = [
        f"  {table:9}" + "  ".join(f"{link.phrase} {link.score:.1f}" for link in row)
        for table, row in found.tables.items()
    ]
    chain = [f"  {link.score:+.2f}  {'+ ' if i else '  '}{link.phrase}" for i, link in enumerate(found.chain)]
    return "\n".join([path, f"  {found.caption}", *tables, *chain, f"  = {found.prompt}"])
