"""Training data of the judge and the captioner, for `python -m helpers train`: Flickr8k-CN train and the wallpapers.

    python -m recipes.judge.data --flickr DATA/flickr8k --wallpapers DATA/wallpapers --out runs/judge_data
    python -m recipes.judge.data ... --views 3 --sentences --out runs/captioner_data  # for the captioner

Writes train.parquet, in which each wallpaper stands `--views` times, whole and as random crops, and val.parquet, which
is Flickr8k's. With `--hold-out 8` every eighth wallpaper stands in heldout.parquet instead, to choose settings by.
"""

from __future__ import annotations

import argparse
import io
import random
import shutil
from pathlib import Path

import pandas as pd
from PIL import Image

from recipes.photos import read_photos
from recipes.texts import wallpaper_captions


def random_box(rng: random.Random) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of a crop: 30 to 100% of the area, sides in 3:4 to 4:3 of the picture's ratio."""
    area, ratio = rng.uniform(0.3, 1.0), rng.uniform(0.75, 1.33)
    width, height = min(1.0, (area * ratio) ** 0.5), min(1.0, (area / ratio) ** 0.5)
    left, top = rng.uniform(0, 1 - width), rng.uniform(0, 1 - height)
    return left, top, left + width, top + height


def crop(image: Image.Image, box: tuple[float, ...]) -> Image.Image:
    w, h = image.size
    return image.crop((round(box[0] * w), round(box[1] * h), round(box[2] * w), round(box[3] * h)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flickr", type=Path, required=True, help="a folder with train.parquet and val.parquet")
    parser.add_argument("--wallpapers", type=Path, required=True)
    parser.add_argument("--views", type=int, default=6, help="of each wallpaper")
    parser.add_argument("--sentences", action="store_true", help="without the imagery words of a wallpaper")
    parser.add_argument("--hold-out", type=int, metavar="N", help="every Nth wallpaper is left out")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    photos, captions, rng = read_photos(args.wallpapers), wallpaper_captions(), random.Random(0)
    held_out = range(0, len(photos), args.hold_out) if args.hold_out else range(0)
    whole, rows = [], []
    for i, photo in enumerate(photos):
        texts = {"caption": captions.english[i], "caption_zh": captions.chinese[i][: 2 if args.sentences else None]}
        boxes = [(0.0, 0.0, 1.0, 1.0)] + [random_box(rng) for _ in range(args.views - 1)]
        views = [{**stored(crop(photo, box), f"{i:04d}_{v}.jpg"), **texts} for v, box in enumerate(boxes)]
        whole.append(views[0])
        rows += [] if i in held_out else views

    args.out.mkdir(parents=True, exist_ok=True)
    columns = ["image", "caption", "caption_zh", "filename"]
    flickr = pd.read_parquet(args.flickr / "train.parquet", columns=columns)
    pd.concat([flickr, pd.DataFrame(rows)]).to_parquet(args.out / "train.parquet", index=False)
    shutil.copyfile(args.flickr / "val.parquet", args.out / "val.parquet")
    if held_out:
        pd.DataFrame([whole[i] for i in held_out]).to_parquet(args.out / "heldout.parquet", index=False)


def stored(image: Image.Image, name: str) -> dict[str, object]:
    """A picture as a row of such a parquet file."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=90)
    return {"image": {"bytes": file.getvalue(), "path": name}, "filename": name}


if __name__ == "__main__":
    main()
