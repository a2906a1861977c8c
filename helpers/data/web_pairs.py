"""Lists of image-text pairs in csv: `text,url,filename`, as the CLIP-Chinese project has them, read row by row."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from helpers.storage import whole_file


class WebPair(NamedTuple):
    """A picture and its text; `row` holds all the columns, the unknown ones too."""

    text: str
    url: str
    filename: str
    row: dict[str, str]


class PairFile:
    """The pairs of a csv file, in UTF-8 and with its columns in any order; each loop reads the file anew.

    Raises ValueError if a column is missing or, while it is read, if the file is no csv in UTF-8.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._rows() as rows:
            self.columns = list(rows.fieldnames or [])
        missing = [name for name in ("text", "url", "filename") if name not in self.columns]
        if missing:
            raise ValueError(f"{path}: no column {', '.join(missing)}: the first line must be like text,url,filename")
        if len(set(self.columns)) < len(self.columns):  # a row's dict could keep only the last of them
            raise ValueError(f"{path}: two columns have the same name, or none")

    def __iter__(self) -> Iterator[WebPair]:
        with self._rows() as rows:
            for row in rows:
                # a short row lacks columns, and a long one has its surplus under None
                row = {name: row[name] or "" for name in self.columns}
                yield WebPair(row["text"].strip(), row["url"].strip(), row["filename"].strip(), row)

    @contextmanager
    def _rows(self) -> Iterator[csv.DictReader]:
        with open(self.path, encoding="utf-8-sig", newline="") as file:
            try:
                yield csv.DictReader(file)
            except UnicodeDecodeError as error:
                raise ValueError(f"{self.path}: not in UTF-8") from error
            except csv.Error as error:
                raise ValueError(f"{self.path}: {error}") from error


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a csv, whole or not at all."""
    with whole_file(path) as unfinished, open(unfinished, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
