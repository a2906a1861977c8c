"""The training texts: captions that belong to photos, and words whose place in the CLIP space is known otherwise."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from helpers.keywords import load_vocabulary

DATA = Path(__file__).parent / "data"


@dataclass
class Captions:
    """For each photo its English and its Chinese captions; the photos are in the order of their features."""

    english: list[list[str]] = field(default_factory=list)
    chinese: list[list[str]] = field(default_factory=list)

    def __add__(self, other: Captions) -> Captions:
        return Captions(self.english + other.english, self.chinese + other.chinese)

    def __len__(self) -> int:
        return len(self.english)


def flickr_captions(parquet: str | Path) -> Captions:
    """Columns `caption` (English) and `caption_zh` (Chinese) of a Flickr8k-CN parquet."""
    table = pd.read_parquet(parquet, columns=["caption", "caption_zh"])
    return Captions([list(row) for row in table["caption"]], [list(row) for row in table["caption_zh"]])


def rows_of(path: Path) -> list[list[str]]:
    """The rows of a table with tabs, without comments."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if line.strip() and not line.startswith("#")]


def wallpaper_captions(path: Path = DATA / "wallpaper_captions.tsv") -> Captions:
    """Our own captions of the 504 wallpapers; the imagery words of a picture count as one more Chinese caption."""
    rows = rows_of(path)
    return Captions([row[3:5] for row in rows], [row[5:8] for row in rows])


def clip_words(vocabulary: str | Path, path: Path = DATA / "clip_words_zh.tsv") -> tuple[list[str], np.ndarray]:
    """CLIP's own text vectors of some hundred English words, for the words and for their Chinese translations.

    Returns the texts and their unit vectors (W, 512). `vocabulary` is an npz with `names` and `emb`.
    """
    archive = np.load(vocabulary)  # plain arrays: numpy refuses pickles unless asked
    names = (str(name).strip() for name in archive["names"])
    vectors = dict(zip(names, archive["emb"].astype(np.float32), strict=True))
    texts, targets = [], []
    for line in path.read_text(encoding="utf-8").splitlines():
        english, chinese = line.split("\t")
        spoken = english.removesuffix("-other").removesuffix("-stuff")
        for text in [spoken, *chinese.split()]:
            texts.append(text)
            targets.append(vectors[english] / np.linalg.norm(vectors[english]))
    return texts, np.stack(targets)


def imagery_lines(lines: Sequence[str], count: int, seed: int = 0) -> list[tuple[str, list[int]]]:
    """`count` lines of verse with the indices of the keywords that stand in them (two characters or more)."""
    index = {keyword.word: i for i, keyword in enumerate(load_vocabulary()) if len(keyword.word) > 1}
    found = []
    for line in random.Random(seed).sample(list(lines), min(len(lines), 8 * count)):
        spans = {line[i : i + n] for n in (2, 3) for i in range(len(line) - n + 1)}
        hits = [index[span] for span in sorted(spans) if span in index]
        if hits:
            found.append((line, hits))
    return found[:count]
