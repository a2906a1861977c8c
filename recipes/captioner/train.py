"""Train the captioner that is shipped: on photographs with captions, and on sentences that no photograph belongs to.

    python -m recipes.captioner.train --data DATA --pictures runs/captioner_data --out runs/captioner

`--pictures` is of `recipes.judge.data --sentences`: Flickr8k-CN, and the wallpapers, which count twice, since Flickr8k
says little of towers and mountains. `--texts` sentences without photographs are added, those most like what the
wallpapers show: Chinese captions of COCO-CN and descriptions of verse in plain language (CCPM). Such a sentence stands
in for its own picture, moved from where texts lie to where pictures lie, with some noise (CapDec: Nukrai et al. 2022,
arXiv:2211.00575).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from helpers.captioning import CaptionedEmbeds, Captioner, embed_captioned, new_captioner, train_captioner
from helpers.chinese_clip import ImageTextEncoder
from helpers.config import ASSETS, seed_everything
from helpers.data import flatten, load_captions
from helpers.keywords import unit
from helpers.options import CaptionTrainingConfig
from recipes.image_text.texts import matched_lines, other_captions

LENGTHS = range(4, 31)  # characters of a sentence that may be a caption
OWN = 2  # captions of a wallpaper; photos of Flickr8k have five
NOISE = 0.004  # variance, of vectors of length 1


def plain(caption: str) -> str:
    """With Chinese commas and a full stop, whoever wrote it."""
    return "".join(caption.split()).replace(",", "，").rstrip("。.；;") + "。"


def sentences(data: Path) -> list[str]:
    described = [row.description for row in matched_lines(data / "ccpm" / "train.jsonl")]
    texts = map(plain, [*other_captions(data / "captions_zh" / "captions_zh.tsv"), *described])
    return [text for text in dict.fromkeys(texts) if len(text) in LENGTHS]


def wallpapers_of(train: CaptionedEmbeds) -> CaptionedEmbeds:
    rows = [i for i, group in enumerate(train.captions) if len(group) <= OWN]
    return CaptionedEmbeds(train.image_embeds[rows], [train.captions[i] for i in rows])


def one_caption_each(sets: list[CaptionedEmbeds]) -> CaptionedEmbeds:
    """A row for each caption: the loop would else repeat a single one as often as there are captions of others."""
    embeds = [np.repeat(each.image_embeds, [len(group) for group in each.captions], 0) for each in sets]
    return CaptionedEmbeds(np.concatenate(embeds), [[text] for each in sets for text in flatten(each.captions)[0]])


def as_pictures(
    encoder: ImageTextEncoder, train: CaptionedEmbeds, texts: list[str], count: int, seed: int
) -> CaptionedEmbeds:
    """The `count` sentences most like a wallpaper of `train`, as if each had a picture."""
    captions = encoder.encode_texts(flatten(train.captions)[0], cache=True)
    embeds = encoder.encode_texts(texts, cache=True)  # (T, D)
    image_mean, text_mean = train.image_embeds.mean(0), captions.mean(0)
    wallpapers = unit(wallpapers_of(train).image_embeds - image_mean)  # (W, D)
    likeness = (unit(embeds - text_mean) @ wallpapers.T).max(1)  # (T, D) @ (D, W) -> (T, W) -> (T,)
    nearest = np.argsort(-likeness)[:count]
    noise = np.random.default_rng(seed).normal(scale=NOISE**0.5, size=(len(nearest), encoder.dim))
    moved = unit(embeds[nearest] - text_mean + image_mean + noise).astype(np.float32)
    return CaptionedEmbeds(moved, [[texts[i]] for i in nearest])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="holds captions_zh/ and ccpm/")
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--texts", type=int, default=10_000)
    parser.add_argument("--prefix-length", type=int, default=5, help="ten vectors do no better")
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--lr", type=float, default=1.5e-3)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--resume", action="store_true")
    args = parser.parse_args()

    encoder = ImageTextEncoder.from_pretrained(ASSETS / "image_text")
    train, val = (embed_captioned(encoder, load_captions(args.pictures, split)) for split in ("train", "val"))
    train, val = (CaptionedEmbeds(x, [[plain(text) for text in group] for group in y]) for x, y in (train, val))
    config = CaptionTrainingConfig(args.epochs, captions_per_image=1, lr=args.lr)
    seed_everything(config.seed)
    more = as_pictures(encoder, train, sentences(args.data), args.texts, config.seed)
    print(f"{len(more.captions)} sentences without pictures, such as {more.captions[0][0]}{more.captions[-1][0]}")
    both = one_caption_each([train, wallpapers_of(train), more])
    captioner = Captioner(*new_captioner(both, prefix_length=args.prefix_length, dropout=args.dropout))
    captioner.model.centred.fit(train.image_embeds)
    train_captioner(captioner, both, val, config, args.out, resume=args.resume)


if __name__ == "__main__":
    main()
