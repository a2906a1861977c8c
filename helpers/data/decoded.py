"""Pictures decoded once, squashed to a square and kept in a memory-mapped file: an epoch then costs no decoding."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm  # decoding thirty thousand pictures takes minutes: say how far it is

from helpers.data.captions import CaptionData
from helpers.data.photos import squash
from helpers.storage import cache_folder, digest, whole_file


class PixelArray(Sequence[Image.Image]):
    """Pictures in an array `pixels` of bytes (N, S, S, 3)."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels = pixels

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> Image.Image:
        return Image.fromarray(np.asarray(self.pixels[index]))


def squashed(data: CaptionData, size: int) -> CaptionData:
    """The same data with its pictures at `size` x `size` pixels, decoded now or, the next time, read from the cache."""
    path = cache_folder() / f"pictures_{digest([data.source, str(size)])}.npy"
    if not path.exists():
        _decode(data, size, path)
    return replace(data, pictures=PixelArray(np.load(path, mmap_mode="r")), source=f"{data.source} at {size}")


def _decode(data: CaptionData, size: int, path: Path) -> None:
    """Write the array (N, size, size, 3) of bytes, whole or not at all."""
    with whole_file(path) as unfinished:
        shape = (len(data), size, size, 3)
        pixels = np.lib.format.open_memmap(unfinished, mode="w+", dtype=np.uint8, shape=shape)

        def decode(index: int) -> None:
            pixels[index] = np.asarray(squash(data.pictures[index], size))

        # Pillow decodes and scales outside of Python's lock, so threads do
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for _ in tqdm(pool.map(decode, range(len(data))), total=len(data), desc="decode", unit="picture"):
                pass
        pixels.flush()
