"""The command that says what pictures show: python -m helpers caption IMAGE..."""

from __future__ import annotations

import argparse
from pathlib import Path

from helpers.commands.shared import PictureReader, add_picture_options, as_json, positive

BEAMS = 5


def add_caption_commands(commands: argparse._SubParsersAction) -> None:
    caption = commands.add_parser("caption", help="say in a Chinese sentence what each picture shows")
    add_picture_options(caption)
    caption.add_argument("--model", type=Path, metavar="DIR", help="a captioner of train clipcap (default: ours)")
    caption.add_argument("--beams", type=positive, default=BEAMS, help="hypotheses at a time (default: %(default)s)")
    caption.set_defaults(run=run_caption)


def run_caption(args: argparse.Namespace) -> int:
    from helpers.captioning import BEAM, Captioner

    reader, captioner = PictureReader(args.images), None
    for paths, images in reader:
        if captioner is None:
            pipeline = args.load(args.profile)
            if args.model:
                captioner = Captioner.from_pretrained(args.model, pipeline.encoder, pipeline.config.offline)
            else:
                captioner = pipeline.captioner
        decoding = {**BEAM, "num_beams": args.beams}
        for path, caption in zip(paths, captioner.caption(images, decoding), strict=True):
            print(as_json({"image": path, "caption": caption}) if args.json else f"{path}  {caption}")
    return reader.status
