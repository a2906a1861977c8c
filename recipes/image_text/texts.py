"""Texts for the text tower that no photo of ours belongs to: tags, more captions, and verse beside plain language."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from helpers.data import flatten
from helpers.keywords import load_vocabulary, unit
from recipes.texts import Captions, clip_words, flickr_captions, wallpaper_captions


class MatchedLine(NamedTuple):
    """A description in modern Chinese and four lines of verse, one of which says the same (CCPM: Li et al. 2021)."""

    description: str
    lines: list[str]
    answer: int  # its index


def photo_captions(data: Path) -> tuple[Captions, int]:
    """The captions of Flickr8k's training photos and of the wallpapers, and how many photos are Flickr's."""
    flickr = flickr_captions(data / "flickr8k" / "train.parquet")
    return flickr + wallpaper_captions(), len(flickr)


def known_words(data: Path) -> dict[str, np.ndarray]:
    """Text -> its place in CLIP's space (512,), unit vectors about the centre of all of them.

    CLIP's own vectors of 275 words, then those of 1,434 that were mapped from other models' spaces; in both languages.
    """
    texts, own = clip_words(data / "clip_text" / "vitb16_vocab.npz")
    archive = np.load(data / "clip_text" / "vitb16_mapped.npz")  # plain arrays: numpy refuses pickles unless asked
    mapped = unit(archive["emb"].astype(np.float32))
    centre = np.concatenate([own, mapped]).mean(0)
    names = [*texts, *map(str, archive["names"]), *map(str, archive["zh"])]
    known: dict[str, np.ndarray] = {}
    for name, place in zip(names, unit(np.concatenate([own, mapped, mapped]) - centre), strict=True):
        if name.strip():
            known.setdefault(name.strip(), place)  # CLIP's own come first
    return known


def training_texts(data: Path) -> dict[str, list[str]]:
    """All texts that the teacher places, by kind; captions in the order of their photos."""
    captions, _ = photo_captions(data)
    keywords, known = load_vocabulary(), known_words(data)
    tags_en, tags_zh = tags(data / "clip_text" / "ram_tags_en_zh.tsv")
    return {
        "captions_en": flatten(captions.english)[0],
        "captions_zh": flatten(captions.chinese)[0],
        "keywords": [keyword.word for keyword in keywords],
        "glosses": [keyword.gloss for keyword in keywords],
        "tags_en": tags_en,
        "tags_zh": tags_zh,
        "known_en": [text for text in known if text.isascii()],
        "known_zh": [text for text in known if not text.isascii()],
        "other_zh": other_captions(data / "captions_zh" / "captions_zh.tsv"),
    }


def tags(path: str | Path) -> tuple[list[str], list[str]]:
    """English and Chinese names of things that photos show: two columns, tab-separated."""
    rows = [line.split("\t") for line in Path(path).read_text(encoding="utf-8").splitlines()]
    return [row[0].strip() for row in rows], [row[1].strip() for row in rows]


def other_captions(path: str | Path) -> list[str]:
    """Chinese captions whose photos are not at hand: the column `caption` of a table with tabs.

    Without those of xFlickrCO: Flickr30k's test photos, which they describe, may be among Flickr8k's of validation.
    """
    table = pd.read_csv(path, sep="\t", quoting=3)
    return table.loc[~table["source"].str.startswith("xFlickrCO"), "caption"].astype(str).tolist()


def matched_lines(path: str | Path, held_out: Iterable[str] = ()) -> list[MatchedLine]:
    """The rows of a CCPM file, without those that have a half-line among `held_out`, lines of evaluation sets."""
    held_out = set(held_out)
    rows = [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]
    found = [MatchedLine(row["translation"], row["choices"], row["answer"]) for row in rows]
    return [row for row in found if not held_out & {half for line in row.lines for half in half_lines(line)}]


def half_lines(text: str) -> list[str]:
    """A line of verse at its punctuation: 床前明月光，疑是地上霜。 -> two."""
    return [half for half in re.split("[，。！？；、]", text) if half]
