"""Pictures and captions in the csv that open_clip trains on: tabs, a row a caption, columns filepath and title."""

from __future__ import annotations

import csv
from pathlib import Path

from tqdm import tqdm

from helpers.data.caption_files import TITLE_COLUMNS
from helpers.data.captions import CaptionData
from helpers.storage import whole_file, whole_folder

QUALITY = 95  # of the JPEGs


def write_open_clip_csv(data: CaptionData, language: str, path: Path) -> int:
    """Write a set's captions to `path` and its pictures beside it, in a folder of the same name; returns the rows.

    Paths are absolute, since open_clip reads them from wherever it is started. Tabs and line breaks in captions become
    spaces. Raises ValueError for a path that does not end in .csv, and for a folder that is there already.
    """
    captions = data.in_language(language)
    folder = path.with_suffix("").resolve()
    if path.suffix != ".csv":
        raise ValueError(f"{path}: its name must end in .csv, for the pictures go to a folder without that")
    if folder.exists():
        raise ValueError(f"{folder} is there already, and the pictures would go there: take another name")
    rows = []
    with whole_folder(folder) as unfinished:
        for i, group in enumerate(tqdm(captions, desc="pictures", unit="picture")):
            name = f"{i:06d}.jpg"
            data.pictures[i].save(unfinished / name, "JPEG", quality=QUALITY)
            rows += [(folder / name, " ".join(text.split())) for text in group]
    with whole_file(path) as unfinished, open(unfinished, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter="\t", lineterminator="\n").writerows([TITLE_COLUMNS, *rows])
    return len(rows)
