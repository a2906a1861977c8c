"""Captions that the cosine filter of filter-pairs finds: those exchanged on purpose, at two shares of what it drops.

    python -m benchmarks.filtering --flickr data/flickr8k/train.parquet
    python -m benchmarks.filtering --flickr data/flickr8k/val.parquet

Of the first pictures with their first Chinese captions a tenth, drawn at random, exchange them among themselves. The
embedded model, which filters, was trained on train.parquet's captions, so that its figures there are optimistic; it
has never seen those of val.parquet. `found`: share of the exchanged pairs that are dropped; `lost`: share of the good
ones. One JSON object on standard output.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from helpers.chinese_clip import ImageTextEncoder
from helpers.config import ASSETS
from helpers.data import CaptionData, PairFile, Rules, filter_pairs, read_parquet, write_rows

PICTURES = 2000
EXCHANGED = 0.1
SHARES = (0.1, 0.2)


def exchange(captions: Sequence[str], seed: int = 0) -> tuple[list[str], np.ndarray]:
    """The captions, a tenth of them in a ring of random order, so that none stays; and which (N,) of bool."""
    ring = np.random.default_rng(seed).choice(len(captions), round(EXCHANGED * len(captions)), replace=False)
    mixed, wrong = list(captions), np.zeros(len(captions), dtype=bool)
    for here, there in zip(ring, np.roll(ring, 1), strict=True):
        mixed[here], wrong[here] = captions[there], True
    return mixed, wrong


def write_set(data: CaptionData, captions: Sequence[str], folder: Path) -> Path:
    """The pictures as files and the list of the pairs, as a download leaves them."""
    for name, picture in zip(data.names, data.pictures, strict=True):
        picture.save(folder / name, quality=95)
    pairs = folder / "pairs.csv"
    write_rows(
        pairs, ("text", "url", "filename"), ((text, "", name) for text, name in zip(captions, data.names, strict=True))
    )
    return pairs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flickr", type=Path, required=True, help="a parquet file of Flickr8k-CN")
    parser.add_argument("--model", default=str(ASSETS / "image_text"))
    args = parser.parse_args()

    data = read_parquet(args.flickr).first(PICTURES)
    captions, wrong = exchange([texts[0] for texts in data.in_language("zh")])
    encoder = ImageTextEncoder.from_pretrained(args.model)
    figures = {"pictures": len(data), "exchanged": int(wrong.sum())}
    with TemporaryDirectory() as folder:
        pairs = write_set(data, captions, Path(folder))
        for share in SHARES:
            out = Path(folder) / "clean.csv"
            reasons = filter_pairs(pairs, Path(folder), out, Rules(), encoder, drop_lowest=share)
            kept = {pair.filename for pair in PairFile(out)}
            dropped = np.array([name not in kept for name in data.names])
            figures[f"drop lowest {share}"] = {
                "found": round(float(dropped[wrong].mean()), 3),
                "lost": round(float(dropped[~wrong].mean()), 3),
                "reasons": dict(reasons),
            }
    print(json.dumps(figures, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
