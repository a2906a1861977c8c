"""The commands that say what pictures show: python -m helpers caption IMAGE... | train clipcap | capdec | coca."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from helpers.commands.shared import PictureReader, add_picture_options, as_json, from_options, positive
from helpers.commands.train import add_run_command, given_options, load_splits, report
from helpers.options import CaptionTrainingConfig, CoCaTrainingConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

    from helpers.captioning import CaptionedEmbeds
    from helpers.chinese_clip import ImageTextEncoder
    from helpers.config import Config
    from helpers.data import CaptionData

BEAMS = 5


def add_caption_commands(commands: argparse._SubParsersAction) -> None:
    caption = commands.add_parser("caption", help="say in a Chinese sentence what each picture shows")
    add_picture_options(caption)
    caption.add_argument(
        "--model", metavar="NAME", help="a folder of train clipcap, capdec or coca, or coca_ViT-L-14 (default: ours)"
    )
    caption.add_argument("--beams", type=positive, default=BEAMS, help="hypotheses at a time (default: %(default)s)")
    caption.set_defaults(run=run_caption)


def run_caption(args: argparse.Namespace) -> int:
    from helpers.captioning import BEAM

    reader, captioner = PictureReader(args.images), None
    for paths, images in reader:
        if captioner is None:
            pipeline = args.load(args.profile)
            if args.model:
                from helpers.coca import load_captioner

                captioner = load_captioner(args.model, pipeline.encoder, pipeline.config.offline)
            else:
                captioner = pipeline.captioner
        decoding = {**BEAM, "num_beams": args.beams}
        for path, caption in zip(paths, captioner.caption(images, decoding), strict=True):
            print(as_json({"image": path, "caption": caption}) if args.json else f"{path}  {caption}")
    return reader.status


def add_captioner_trainings(train: argparse._SubParsersAction) -> None:
    """Further models of `train`."""
    default = CaptionTrainingConfig
    clipcap = add_run_command(train, "clipcap", "a captioner: a mapping and a GPT-2 (notebook 05)", default)
    clipcap.add_argument("--freeze-decoder", action="store_true", help="only the mapping learns")
    clipcap.add_argument(
        "--noise", type=not_negative, default=0.0, metavar="VARIANCE", help="on the pictures' embeddings"
    )
    clipcap.set_defaults(run=run_train_clipcap)

    capdec = add_run_command(train, "capdec", "the same from sentences without pictures (notebook 06)", default)
    capdec.add_argument(
        "--texts", metavar="FILE", help="sentences, one a line of a .txt, or a set like --data (default: --data's)"
    )
    capdec.add_argument(
        "--noise",
        type=not_negative,
        metavar="VARIANCE",
        help="on the sentences' embeddings (default: 0.016; shifted: 0.004)",
    )
    capdec.add_argument("--shift", action="store_true", help="move pictures by the distance from the mean sentence")
    capdec.set_defaults(run=run_train_capdec, captions_per_image=1)

    coca = add_run_command(train, "coca", "one model that finds and that tells (notebook 06)", CoCaTrainingConfig)
    coca.add_argument("--csv", dest="data", metavar="FILE", help="the same as --data: tabs, columns filepath and title")
    coca.add_argument("--contrastive-weight", type=not_negative, default=CoCaTrainingConfig.contrastive_weight)
    coca.add_argument("--caption-weight", type=not_negative, default=CoCaTrainingConfig.caption_weight)
    coca.add_argument("--noise", type=not_negative, default=0.0, metavar="VARIANCE", help="on the pictures' embeddings")
    coca.set_defaults(run=run_train_coca)
    for parser in (clipcap, capdec):
        parser.add_argument("--decoder", metavar="NAME", help="a GPT-2, hub id or folder (default: a new, small one)")
        parser.add_argument("--mapping", choices=("mlp", "transformer"), default="mlp", help="from picture to prefix")
        parser.add_argument("--constants", type=positive, default=10, help="the picture's vectors in the transformer")
        parser.add_argument("--dropout", type=float, help="of a new decoder (default: 0.2)")
    for parser in (clipcap, capdec, coca):
        parser.add_argument("--encoder", metavar="NAME", help="whose embeddings it reads: of ours, or a Chinese CLIP")
        parser.add_argument("--prefix-length", type=positive, default=10, help="vectors that a picture becomes")
        parser.add_argument("--lr", type=float, default=default.lr)
        parser.add_argument("--warmup", type=float, default=default.warmup, metavar="SHARE", help="of all steps")
        parser.set_defaults(language="zh")


def not_negative(text: str) -> float:
    """A finite number, zero or above."""
    if not 0 <= float(text) < float("inf"):
        raise argparse.ArgumentTypeError(f"neither zero nor above: {text}")
    return float(text)


def run_train_clipcap(args: argparse.Namespace) -> int:
    from helpers.config import load_config

    check_decoder(args)
    profile = load_config(args.profile)
    splits = load_splits(caption_source(args), args)
    _, (train, val) = embed_sets(args, profile, splits.train, splits.val)
    return train_clipcap(args, train, val, from_options(CaptionTrainingConfig, args))


def run_train_capdec(args: argparse.Namespace) -> int:
    from helpers.captioning import (
        NOISE,
        SHIFTED_NOISE,
        CaptionedEmbeds,
        Captioner,
        embed_sentences,
        move_to_pictures,
        save_captioner,
    )
    from helpers.config import load_config
    from helpers.data import flatten, load_captions
    from helpers.pipeline import reference_pictures

    check_decoder(args)
    if args.noise is None:
        args.noise = SHIFTED_NOISE if args.shift else NOISE
    profile = load_config(args.profile)
    if args.texts:
        sentences, pictures = read_sentences(args), load_captions(caption_source(args), "val", args.split_list)
        pictures.in_language(args.language)  # complains before they are encoded
    else:
        splits = load_splits(caption_source(args), args)
        sentences, pictures = flatten(splits.train.in_language(args.language))[0], splits.val
    encoder, (val,) = embed_sets(args, profile, pictures)
    texts = embed_sentences(encoder, sentences)
    if args.shift:  # what it will be like afterwards, for the figures of each epoch
        reference = reference_pictures(encoder, args.encoder or profile.image_text_model)
        shift = texts.image_embeds.mean(0) - reference.mean(0)
        val = CaptionedEmbeds(val.image_embeds + shift, val.captions)
    status = train_clipcap(args, texts, val, from_options(CaptionTrainingConfig, args))
    if args.shift and int(os.environ.get("RANK", 0)) == 0:
        captioner = Captioner.from_pretrained(args.out)
        move_to_pictures(captioner.model.centred, reference)
        save_captioner(captioner.model, captioner.tokenizer, args.out)
    return status


def run_train_coca(args: argparse.Namespace) -> int:
    from helpers.captioning import Captioner
    from helpers.coca import new_coca, train_coca
    from helpers.config import load_config, seed_everything

    profile = load_config(args.profile)
    splits = load_splits(caption_source(args), args)
    _, (train, val) = embed_sets(args, profile, splits.train, splits.val)
    seed_everything(args.seed)
    captioner = Captioner(*new_coca(train, prefix_length=args.prefix_length))
    config = from_options(CoCaTrainingConfig, args)
    return report(args, train_coca(captioner, train, val, config, args.out, resume=args.resume))


def caption_source(args: argparse.Namespace) -> str:
    from helpers.data import DRAWN

    return args.data or DRAWN  # no set of Chinese captions is every reader's to load


def read_sentences(args: argparse.Namespace) -> list[str]:
    """The sentences of --texts: one a line of a text file, or the captions of a set's training split."""
    from helpers.data import flatten, load_captions

    if Path(args.texts).suffix.lower() != ".txt":
        return flatten(load_captions(args.texts, "train").in_language(args.language))[0]
    lines = Path(args.texts).read_text(encoding="utf-8-sig").split("\n")  # splitlines would cut at odd characters
    if not any(map(str.strip, lines)):
        raise ValueError(f"{args.texts}: no sentence in it")
    return [line.strip() for line in lines if line.strip()]


def check_decoder(args: argparse.Namespace) -> None:
    if args.decoder and args.dropout is not None:
        raise ValueError("--dropout is of a new decoder: leave it out with --decoder")


def train_clipcap(
    args: argparse.Namespace, train: CaptionedEmbeds, val: CaptionedEmbeds, config: CaptionTrainingConfig
) -> int:
    """A mapping and a decoder, as the options describe them."""
    from helpers.captioning import Captioner, new_captioner, train_captioner, with_decoder
    from helpers.config import seed_everything

    seed_everything(args.seed)  # the new mapping and perhaps the new decoder
    settings = {key: getattr(args, key) for key in ("mapping", "prefix_length", "constants")}
    if args.decoder:
        model = with_decoder(args.decoder, train, **settings)
    else:
        model = new_captioner(train, **given_options(args, "dropout"), **settings)
    return report(args, train_captioner(Captioner(*model), train, val, config, args.out, resume=args.resume))


def embed_sets(
    args: argparse.Namespace, profile: Config, *sets: CaptionData
) -> tuple[ImageTextEncoder, Sequence[CaptionedEmbeds]]:
    """The encoder that was asked for, and each set of pictures and captions as it sees them."""
    from helpers.captioning import embed_captioned
    from helpers.chinese_clip import ImageTextEncoder

    name = args.encoder or profile.image_text_model
    encoder = ImageTextEncoder.from_pretrained(name, local_files_only=profile.offline)
    return encoder, [embed_captioned(encoder, data, args.language) for data in sets]
