"""CapDec on Flickr8k-CN: captioners that learnt from sentences alone, for five levels of noise.

    python -m benchmarks.capdec --data data --runs runs/capdec

Of each level: pictures as they are; moved by the means' distance; and a sentence about the picture in the picture's
place, which no captioner can have. The mean picture is that of the reference pictures of the shipped encoder. One JSON
object a row on stdout, as soon as it is known.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks.captioning import seconds_of, show
from helpers.captioning import (
    BEAM,
    GREEDY,
    CaptionedEmbeds,
    Captioner,
    embed_captioned,
    embed_sentences,
    move_to_pictures,
    new_captioner,
    train_captioner,
)
from helpers.chinese_clip import ImageTextEncoder
from helpers.config import ASSETS, seed_everything
from helpers.data import flatten, load_captions
from helpers.evaluate import caption_figures
from helpers.metrics import cider_d
from helpers.options import CaptionTrainingConfig
from helpers.pipeline import reference_pictures

LEVELS = (0.0, 0.001, 0.004, 0.016, 0.03)  # variance


def gap(image_embeds: np.ndarray, text_embeds: np.ndarray, seed: int = 0) -> dict[str, float]:
    """Pictures (N, D) and a sentence about each (N, D): how far apart they are."""
    other = np.random.default_rng(seed).permutation(len(image_embeds))
    image_mean, text_mean = image_embeds.mean(0), text_embeds.mean(0)
    return {
        "pair": float((image_embeds * text_embeds).sum(1).mean()),
        "random pair": float((image_embeds * text_embeds[other]).sum(1).mean()),
        "two pictures": float((image_embeds * image_embeds[other]).sum(1).mean()),
        "two sentences": float((text_embeds * text_embeds[other]).sum(1).mean()),
        "mean picture": float(np.linalg.norm(image_mean)),
        "mean sentence": float(np.linalg.norm(text_mean)),
        "means apart": float(np.linalg.norm(image_mean - text_mean)),
    }


def trained(
    texts: CaptionedEmbeds, val: CaptionedEmbeds, config: CaptionTrainingConfig, folder: Path
) -> tuple[Captioner, float]:
    """A captioner and the seconds that it took, from `folder` if it is there."""
    seed_everything(config.seed)
    captioner = Captioner(*new_captioner(texts))
    seconds = seconds_of(folder, lambda: train_captioner(captioner, texts, val, config, folder, resume=True))
    return Captioner.from_pretrained(folder), seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=Path, required=True, help="trained captioners stay here")
    parser.add_argument("--levels", type=float, nargs="+", default=LEVELS)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    encoder = ImageTextEncoder.from_pretrained(ASSETS / "image_text")
    reference = reference_pictures(encoder, ASSETS / "image_text")  # (R, D)
    known, _ = flatten(load_captions(args.data / "flickr8k", "train").in_language("zh"))
    texts = embed_sentences(encoder, known)
    val = embed_captioned(encoder, load_captions(args.data / "flickr8k", "val"))
    firsts = encoder.encode_texts([group[0] for group in val.captions], cache=True)  # (N, D)
    show(sentences=len(texts.captions), **gap(val.image_embeds, firsts))

    def figures(captioner: Captioner, embeds: np.ndarray, name: str, **row: object) -> None:
        for how, decoding in (("greedy", GREEDY), ("beam", BEAM)):
            captions = captioner.caption_embeds(embeds, decoding)
            scores = cider_d(captions, val.captions)
            show(**row, input=name, decoding=how, **caption_figures(captions, scores, val, known, encoder))

    for noise in args.levels:
        config = CaptionTrainingConfig(args.epochs, captions_per_image=1, noise=noise, seed=args.seed)
        captioner, seconds = trained(texts, val, config, args.runs / f"{noise}_{args.epochs}_{args.seed}")
        row = {"noise": noise, "minutes": seconds / 60}
        figures(captioner, val.image_embeds, "picture", **row)
        figures(captioner, firsts, "sentence", **row)
        move_to_pictures(captioner.model.centred, reference)
        figures(captioner, val.image_embeds, "moved picture", **row)


if __name__ == "__main__":
    main()
