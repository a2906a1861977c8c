"""Train what lets the poem model see the picture: the prefix of `--way picture`.

    python -m recipes.captioner.train_verse_prefix --poems runs/poems --out runs/verse_prefix

There are no pictures: each couplet of `--sample` quatrains of the training split stands in for its own picture, with
`--noise`, and in the end the prefix is moved to the encoder's reference pictures (CapDec). With `--data` pictures are
paired with the quatrains that the shipped image-text model's standard score finds nearest, which does less well.
`--export DIR` writes the prefix there in eight bits.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import numpy as np

from helpers.captioning import (
    PicturesWithVerse,
    embed_captioned,
    move_to_pictures,
    train_verse_prefix,
)
from helpers.chinese_clip import ImageTextEncoder
from helpers.config import load_config, seed_everything
from helpers.data import load_captions
from helpers.keywords import standard_scores
from helpers.options import CaptionTrainingConfig
from helpers.pipeline import ImageToPoem
from helpers.poems import PoemWriter, read_split
from helpers.storage import save_quantized_pretrained

BLOCK = 512  # pictures scored at a time
HELD_OUT = 1000  # couplets
NOISE = 0.002


def with_verse(
    image_embeds: np.ndarray, poems: list[tuple[str, ...]], poem_embeds: np.ndarray, reference: np.ndarray, each: int
) -> PicturesWithVerse:
    """Each of N pictures (N, D) with the `each` poems that fit it best."""
    found = []
    for start in range(0, len(image_embeds), BLOCK):
        scores = standard_scores(image_embeds[start : start + BLOCK], poem_embeds, reference)  # (B, P)
        found += np.argpartition(-scores, each, axis=1)[:, :each].tolist()
    return PicturesWithVerse(image_embeds, [[poems[i] for i in row] for row in found])


def by_couplet(encoder: ImageTextEncoder, poems: list[tuple[str, ...]]) -> PicturesWithVerse:
    """Each couplet as its own picture; to the second of a quatrain the first is given."""
    begun = [lines[:end] for lines in poems for end in (2, 4)]
    embeds = encoder.encode_texts(["，".join(lines[-2:]) for lines in begun], cache=True)  # (2P, D)
    return PicturesWithVerse(embeds, [[lines] for lines in begun], told=2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="of recipes.judge.data --sentences: the pictures, if there are to be any")
    parser.add_argument("--poems", type=Path, required=True, help="of recipes.poem_t5.prepare_poems")
    parser.add_argument("--sample", type=int, default=25_000, help="quatrains to choose from")
    parser.add_argument("--each", type=int, default=4, help="quatrains a picture")
    parser.add_argument("--prefix-length", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--noise", type=float, help=f"variance (default: with pictures 0, without {NOISE})")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--export", type=Path)
    args = parser.parse_args()

    pipeline = ImageToPoem(load_config("mini"))
    encoder = pipeline.encoder
    corpus = [poem.lines for poem in read_split(args.poems, "train")]
    poems = random.Random(0).sample(corpus, min(args.sample, len(corpus)))
    if args.data:
        poem_embeds = encoder.encode_texts(["，".join(lines) for lines in poems], cache=True)  # (P, D)
        sets = [embed_captioned(encoder, load_captions(args.data, split)) for split in ("train", "val")]
        train, val = (
            with_verse(each.image_embeds, poems, poem_embeds, pipeline.reference_embeds, args.each) for each in sets
        )
    else:
        own = by_couplet(encoder, poems)
        if len(own.poems) <= HELD_OUT:
            parser.error(f"--sample must be more than {HELD_OUT // 2}, for {HELD_OUT} couplets are held out")
        cuts = slice(HELD_OUT, None), slice(HELD_OUT)
        train, val = (PicturesWithVerse(own.image_embeds[cut], own.poems[cut], own.told) for cut in cuts)
    noise = args.noise if args.noise is not None else 0.0 if args.data else NOISE
    seed_everything(0)
    config = CaptionTrainingConfig(
        args.epochs, captions_per_image=train.told * len(train.poems[0]), lr=args.lr, noise=noise
    )
    writer = PoemWriter.from_pretrained(pipeline.config.poem_model)
    prefix, progress = train_verse_prefix(
        writer, train, val, config, args.out, prefix_length=args.prefix_length, resume=args.resume
    )
    print(progress.epochs[-1:])
    if not args.data:
        move_to_pictures(prefix.centred, pipeline.reference_embeds)
        prefix.save_pretrained(args.out)
    if args.export:
        save_quantized_pretrained(prefix, args.export)


if __name__ == "__main__":
    main()
