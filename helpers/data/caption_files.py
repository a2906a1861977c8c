"""The text files that come with sets of pictures: captions in their usual forms, and lists of splits."""

from __future__ import annotations

import csv
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from io import StringIO
from pathlib import Path
from typing import NamedTuple

TITLE_COLUMNS = ("filepath", "title")  # of the csv that open_clip trains on


def read_caption_file(folder: Path) -> dict[str, list[str]]:
    """Picture name -> its captions, of the captions file in `folder`; ValueError if there is none."""
    files = [
        *sorted(folder.glob("*.token")),
        *sorted(folder.glob("captions.csv")),
        *sorted(folder.glob("captions.txt")),
        *sorted(folder.glob("results*.csv")),
    ]
    if not files:
        raise ValueError(f"{folder}: no captions: neither {{train,val,test}}.parquet nor *.token nor captions.csv")
    captions = defaultdict(list)
    rows = _token_rows(files[0]) if files[0].suffix == ".token" else _csv_rows(files[0])
    for name, caption in rows:
        captions[name.strip()].append(caption.strip())
    return dict(captions)


def _token_rows(path: Path) -> Iterable[tuple[str, str]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        name, _, caption = line.partition("\t")
        if caption:
            yield name.split("#")[0], caption


def _csv_rows(path: Path) -> Iterable[tuple[str, str]]:
    text = path.read_text(encoding="utf-8-sig")
    if not text.strip():
        raise ValueError(f"{path}: empty")
    delimiter = "|" if "|" in text.partition("\n")[0] else ","
    rows = csv.reader(StringIO(text, newline=""), delimiter=delimiter)  # splitlines would cut captions at odd spaces
    columns = [column.strip() for column in next(rows)]
    named = {"filename", "text"} <= set(columns)  # the columns of download-images and filter-pairs
    name, caption = (columns.index("filename"), columns.index("text")) if named else (0, -1)
    for row in rows:
        if len(row) == len(columns) > 1:  # the well-known csv of Flickr30k has one row with a column missing
            yield row[name], row[caption]


class Titles(NamedTuple):
    """Pictures by their paths, and all captions of each."""

    paths: list[Path]  # (N,)
    captions: list[list[str]]  # (N,)


def read_open_clip_csv(path: Path) -> Titles:
    """The pictures of a csv as open_clip trains on, each with all its captions.

    Paths that are not absolute begin where the csv lies. Raises ValueError for another csv, one without rows, or a
    picture that is not there.
    """
    captions: defaultdict[Path, list[str]] = defaultdict(list)
    with open(path, encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t")
        try:
            if missing := set(TITLE_COLUMNS) - set(rows.fieldnames or ()):
                raise ValueError(f"{path}: no column {', '.join(sorted(missing))}, with tabs between the columns")
            for row in rows:
                captions[path.parent / (row["filepath"] or "")].append((row["title"] or "").strip())
        except (UnicodeDecodeError, csv.Error) as error:
            raise ValueError(f"{path}: no csv in UTF-8 ({error})") from error
    if not captions:
        raise ValueError(f"{path}: not one row")
    if lost := [picture for picture in captions if not picture.is_file()]:
        raise ValueError(f"{path}: {len(lost)} of its {len(captions)} pictures are not there, {lost[0]} for one")
    return Titles(list(captions), [[text for text in group if text] for group in captions.values()])


def read_split_list(path: str | Path) -> dict[str, str]:
    """Picture name -> "train", "val" or "test".

    Reads Karpathy's json (`{"images": [{"filename": ..., "split": ...}]}`) and csv files with the columns filename
    and split. Karpathy's "restval" counts as "train".
    """
    text = Path(path).read_text(encoding="utf-8-sig")
    if Path(path).suffix == ".json":
        content = json.loads(text)
        rows = content.get("images") if isinstance(content, dict) else None
    else:
        rows = list(csv.DictReader(StringIO(text, newline="")))
    if not rows or not {"filename", "split"} <= set(rows[0]):
        raise ValueError(f"{path}: a split list has the columns filename and split")
    return {row["filename"]: row["split"].replace("restval", "train") for row in rows}


def in_split(names: Sequence[str], split: str, split_of: dict[str, str] | None) -> list[int]:
    """Indices of the pictures of `split`: by the list, or by a hash of the name: 3% val, 3% test."""
    if split_of is None:
        split_of = {name: _hashed_split(name) for name in names}
    return [i for i, name in enumerate(names) if split_of.get(name) == split]


def _hashed_split(name: str) -> str:
    place = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) % 100
    return "val" if place < 3 else "test" if place < 6 else "train"
