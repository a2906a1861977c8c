"""Pictures and captions in the csv that open_clip trains on: tabs, a row a caption, columns filepath and title."""

from __future__ import annotations

import csv
from pathlib import Path

from tqdm import tqdm

from helpers.data.caption_files import TITLE_COLUMNS
from helpers.data.captions import CaptionData
from helpers.storage import whole_file

QUALITY = 95  # of the JPEGs


def write_open_clip_csv(data: CaptionData, language: str, path: Path) -> int:
    """Write a set's captions to `path` and its pictures beside it, in a folder of the same name; returns the rows.

    Paths are absolute, since open_clip reads them from wherever it is started. Tabs and line breaks in captions become
    spaces.
    """
    captions = data.in_language(language)
    folder = path.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for i, group in enumerate(tqdm(captions, desc="pictures", unit="picture")):
        picture = folder.resolve() / f"{i:06d}.jpg"
        with whole_file(picture) as unfinished:
            data.pictures[i].save(unfinished, "JPEG", quality=QUALITY)
        rows += [(picture, " ".join(text.split())) for text in group]
    with whole_file(path) as unfinished, open(unfinished, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter="\t", lineterminator="\n").writerows([TITLE_COLUMNS, *rows])
    return len(rows)
