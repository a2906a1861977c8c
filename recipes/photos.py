"""The training photographs: a Flickr8k-like parquet or a folder of wallpapers, decoded one at a time."""

from __future__ import annotations

import io
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
