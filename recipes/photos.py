"""The training photographs: a Flickr8k-like parquet or a folder of wallpapers, decoded one at a time."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from PIL import Image


class Photos(Sequence):
    """Pictures in the order of the parquet's rows, or of the folder's sorted file names; decoded when asked for."""

    def __init__(self, encoded: Sequence[bytes | Path]) -> None:
        self.encoded = encoded

    def __len__(self) -> int:
        return len(self.encoded)

    def __getitem__(self, index: int) -> Image.Image:
        source = self.encoded[index]
        return Image.open(io.BytesIO(source) if isinstance(source, bytes) else source).convert("RGB")


def read_photos(path: str | Path) -> Photos:
    """The photos of a parquet (column image{bytes, path}) or of a folder of JPEGs."""
    if Path(path).is_dir():
        return Photos(sorted(Path(path).glob("*.jpg")))
    return Photos([image["bytes"] for image in pd.read_parquet(path, columns=["image"])["image"]])


def random_box(rng: random.Random) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of a crop: 30 to 100% of the area, sides in 3:4 to 4:3 of the picture's ratio."""
    area, ratio = rng.uniform(0.3, 1.0), rng.uniform(0.75, 1.33)
    width, height = min(1.0, (area * ratio) ** 0.5), min(1.0, (area / ratio) ** 0.5)
    left, top = rng.uniform(0, 1 - width), rng.uniform(0, 1 - height)
    return left, top, left + width, top + height


def crop(image: Image.Image, box: tuple[float, ...]) -> Image.Image:
    w, h = image.size
    return image.crop((round(box[0] * w), round(box[1] * h), round(box[2] * w), round(box[3] * h)))
