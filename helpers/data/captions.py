"""Pictures with their captions, from wherever they come: the hub, a parquet file, a folder, or our own brush.

A set is split by picture, never by caption row: else one photo, described in other words, stands on both sides.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from helpers.characters import is_chinese
from helpers.data.caption_files import in_split, read_caption_file, read_open_clip_csv, read_split_list
from helpers.data.photos import load_image
from helpers.drawn import captions_en, captions_zh, paint, sample_scenes
from helpers.storage import digest, is_hub_id

DRAWN = "drawn"  # the name of the mini set
DRAWN_COUNTS = {"train": 1600, "val": 200, "test": 200}
FLICKR30K_SPLIT_LIST = ("nlphuji/flickr30k", "flickr_annotations_30k.csv")  # Karpathy and Fei-Fei's, 29,000/1,014/1,000
SPLITS = ("train", "val", "test")


class LazyPictures(Sequence[Image.Image]):
    """Pictures that are loaded one by one, each when it is asked for."""

    def __init__(self, count: int, load: Callable[[int], Image.Image]) -> None:
        self.count = count
        self.load = load

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Image.Image:
        if not 0 <= index < self.count:
            raise IndexError(index)
        return self.load(index)


@dataclass(frozen=True)
class CaptionData:
    """N pictures with some captions each, in one or two languages."""

    pictures: Sequence[Image.Image]  # (N,) decoded when asked for
    captions: Sequence[Sequence[str]]  # (N,) of English captions
    captions_zh: Sequence[Sequence[str]]  # (N,) of Chinese captions, which may be none
    names: Sequence[str]  # (N,)
    source: str  # its origin as text; changes when the pictures do

    def __len__(self) -> int:
        return len(self.names)

    def in_language(self, language: str) -> Sequence[Sequence[str]]:
        """Captions in "en", "zh" or, by turns, "both". Raises ValueError if a picture has none."""
        both = [alternate(en, zh) for en, zh in zip(self.captions, self.captions_zh, strict=True)]
        captions = {"en": self.captions, "zh": self.captions_zh, "both": both}[language]
        if without := [name for name, group in zip(self.names, captions, strict=True) if not group]:
            some = f"{len(without)} of {len(self)} pictures, {without[0]} for one,"
            raise ValueError(f"{some} have no caption in {language!r}")
        return captions

    def first(self, count: int) -> CaptionData:
        """The first pictures only."""
        return replace(
            self,
            pictures=LazyPictures(min(count, len(self)), self.pictures.__getitem__),
            captions=self.captions[:count],
            captions_zh=self.captions_zh[:count],
            names=self.names[:count],
            source=f"{self.source}[:{count}]",
        )


class Splits(NamedTuple):
    """A set to train on, one to validate on, and the language of their captions: "en", "zh" or "both"."""

    train: CaptionData
    val: CaptionData
    language: str = "en"


def flatten(captions: Sequence[Sequence[str]]) -> tuple[list[str], np.ndarray]:
    """All captions in one list (M,), and the picture that each of them belongs to (M,)."""
    owners = np.repeat(np.arange(len(captions)), [len(group) for group in captions])
    return [caption for group in captions for caption in group], owners


def alternate(english: Sequence[str], chinese: Sequence[str]) -> list[str]:
    """One of each by turns, and then what is left of the longer."""
    return [caption for pair in zip_longest(english, chinese) for caption in pair if caption is not None]


def load_captions(source: str | Path, split: str, split_list: str | Path | None = None) -> CaptionData:
    """One split of a set.

    Args:
        source: "drawn"; a parquet file (without a list taken whole, whatever the split); a folder with train.parquet,
            val.parquet and test.parquet; a folder with pictures and captions.csv or a file of the form of
            Flickr30k's results_20130124.token; a csv as open_clip trains on, with tabs and the columns filepath and
            title; or the hub id of a set like lmms-lab/flickr30k.
        split: "train", "val" or "test".
        split_list: a file of pictures and their splits; see `read_split_list`. Without it, a folder or
            a csv is split by a hash of the file names, and the hub's Flickr30k by Karpathy's list, which is downloaded.

    Raises:
        ValueError: there is no such set or split, or no picture in it.
    """
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}: choose one of {', '.join(SPLITS)}")
    path = Path(source).expanduser()
    if str(source) == DRAWN:
        return drawn_landscapes(split)
    if path.suffix in (".csv", ".tsv") and path.is_file():
        return read_titles(path, split, split_list)
    if path.is_file():
        return read_parquet(path, split, split_list)
    if (path / f"{split}.parquet").is_file():
        return read_parquet(path / f"{split}.parquet")
    if path.is_dir():
        return read_folder(path, split, split_list)
    if is_hub_id(source):
        return read_hub(str(source), split, split_list)
    raise ValueError(f"{source}: neither 'drawn' nor a file, a folder, or a hub id like lmms-lab/flickr30k")


def drawn_landscapes(split: str, count: int | None = None, size: int = 256, seed: int = 0) -> CaptionData:
    """The mini set: painted landscapes with captions; val and test combine what train never does."""
    scenes = sample_scenes(split, count or DRAWN_COUNTS[split], seed)
    return CaptionData(
        pictures=LazyPictures(len(scenes), lambda i: paint(scenes[i], size)),
        captions=[captions_en(scene) for scene in scenes],
        captions_zh=[captions_zh(scene) for scene in scenes],
        names=[f"{split}_{i:05d}" for i in range(len(scenes))],
        source=f"drawn {len(scenes)} {split} {size} px {hashlib.sha256(repr(scenes).encode()).hexdigest()}",
    )


def read_parquet(path: Path, split: str = "train", split_list: str | Path | None = None) -> CaptionData:
    """A parquet file with the columns image, caption (a list), filename and perhaps caption_zh.

    All of it, or the part that `split_list` gives to the split.
    """
    from datasets import Dataset  # memory-maps sets that are larger than the memory; slow to import

    table = Dataset.from_parquet(str(path))
    if split_list is None:
        return from_table(table, _stamp(path))
    chosen = in_split(table["filename"], split, read_split_list(split_list))
    return from_table(table.select(chosen), f"{_stamp(path)} {split} {_stamp(Path(split_list))}")


def read_hub(name: str, split: str, split_list: str | Path | None) -> CaptionData:
    """A set of the hub with one split, divided by `split_list` or, without one, by Karpathy's list for Flickr30k."""
    from datasets import concatenate_datasets, load_dataset
    from huggingface_hub import hf_hub_download

    table = concatenate_datasets(list(load_dataset(name).values()))
    if split_list is None:
        repo, file = FLICKR30K_SPLIT_LIST
        split_list = hf_hub_download(repo, file, repo_type="dataset")
    chosen = in_split(table["filename"], split, read_split_list(split_list))
    if not chosen:
        raise ValueError(f"{name}: no picture of the split {split!r}; say with --split-list which picture is in which")
    return from_table(table.select(chosen), f"{name} {table._fingerprint} {split}")


def from_table(table, source: str) -> CaptionData:
    """A `datasets.Dataset` with the columns image, caption, filename and perhaps caption_zh."""
    from datasets import Image as ImageFeature

    missing = {"image", "caption", "filename"} - set(table.column_names)
    if missing:
        raise ValueError(
            f"the table has no column {', '.join(sorted(missing))}: it has {', '.join(table.column_names)}"
        )
    images = table.select_columns(["image"]).cast_column("image", ImageFeature())
    chinese = table["caption_zh"] if "caption_zh" in table.column_names else [[]] * len(table)
    return CaptionData(
        pictures=LazyPictures(len(table), lambda i: images[i]["image"].convert("RGB")),
        captions=list(table["caption"]),
        captions_zh=list(chinese),
        names=list(table["filename"]),
        source=source,
    )


def read_folder(folder: Path, split: str, split_list: str | Path | None = None) -> CaptionData:
    """A folder with pictures, in it or in images/, and their captions.

    Captions stand in captions.csv (`image,caption`, `image,comment_number,comment`, with a comma or a bar, or
    `text,url,filename` as `filter-pairs` writes it) or in a file of the original form of Flickr8k and Flickr30k,
    `*.token`: `1000092795.jpg#0<tab>Two young guys ...`. A caption mostly in Chinese characters is a Chinese one.
    """
    captions = read_caption_file(folder)
    place = folder / "images" if (folder / "images").is_dir() else folder
    names = sorted(name for name in captions if (place / name).is_file())
    return from_files(folder, {place / name: captions[name] for name in names}, split, split_list)


def read_titles(path: Path, split: str, split_list: str | Path | None = None) -> CaptionData:
    """A csv as open_clip trains on, with pictures from anywhere."""
    titles = read_open_clip_csv(path)
    return from_files(path, dict(zip(titles.paths, titles.captions, strict=True)), split, split_list)


def from_files(
    source: Path, captions: Mapping[Path, Sequence[str]], split: str, split_list: str | Path | None
) -> CaptionData:
    """Pictures in files and the captions of each, in either language; ValueError if the split has none of them."""
    paths = list(captions)
    chosen = in_split([path.name for path in paths], split, read_split_list(split_list) if split_list else None)
    paths = [paths[i] for i in chosen]
    if not paths:
        raise ValueError(f"{source}: no picture of the split {split!r} that the captions name")
    return CaptionData(
        pictures=LazyPictures(len(paths), lambda i: load_image(paths[i])),
        captions=[[text for text in captions[path] if not is_chinese(text)] for path in paths],
        captions_zh=[[text for text in captions[path] if is_chinese(text)] for path in paths],
        names=[path.name for path in paths],
        source=f"{source.resolve()} {digest(map(_stamp, paths))}",
    )


def _stamp(path: Path) -> str:
    status = path.stat()
    return f"{path.resolve()} {status.st_size} {status.st_mtime_ns}"
