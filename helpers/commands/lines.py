"""The command that finds classical lines for pictures: python -m helpers lines IMAGE..."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from helpers.commands.shared import PictureReader, add_picture_options, as_json, positive

if TYPE_CHECKING:
    from helpers.chinese_clip import ImageTextEncoder
    from helpers.keywords import FoundLine, LineIndex


def add_line_commands(commands: argparse._SubParsersAction) -> None:
    lines = commands.add_parser("lines", help="find the classical lines that are nearest to each picture")
    add_picture_options(lines)
    lines.add_argument("--k", type=positive, default=5, help="how many lines (default: 5)")
    lines.add_argument(
        "--lines", type=Path, metavar="FILE", help="search these, one a row (line, tab, author, tab, title)"
    )
    lines.add_argument("--index", type=Path, metavar="DIR", help="read the index there; if there is none, write it")
    lines.set_defaults(run=run_lines)


def run_lines(args: argparse.Namespace) -> int:
    from helpers.keywords import calibrated_queries

    reader, index = PictureReader(args.images), None
    for paths, images in reader:
        pipeline = args.load(args.profile)
        index = index or open_index(pipeline.encoder, args.lines, args.index)
        queries = calibrated_queries(pipeline.encoder.encode_images(images), pipeline.reference_embeds)
        for path, found in zip(paths, index.search(queries, args.k), strict=True):
            print(as_json({"image": path, "lines": line_records(found)}) if args.json else lines_text(path, found))
    return reader.status


def open_index(encoder: ImageTextEncoder, lines_file: Path | None, folder: Path | None) -> LineIndex:
    """The index saved in `folder`, or a new one of the file's lines, which is saved there.

    Raises ValueError if the saved one has other lines than the file or was made with another model.
    """
    from helpers.keywords import SAMPLE, LineIndex, load_lines

    if folder is None or not folder.exists():
        index = LineIndex.build_from(encoder, load_lines(lines_file or SAMPLE))
        if folder is not None:
            index.save(folder)
        return index
    index = LineIndex.load(folder, encoder.fingerprint)
    if lines_file is not None and index.lines != load_lines(lines_file):
        raise ValueError(f"{folder}: this index has other lines than {lines_file}; name another folder")
    return index


def line_records(found: Sequence[FoundLine]) -> list[dict]:
    return [line._asdict() | {"score": round(score, 4)} for line, score in found]


def lines_text(path: str, found: Sequence[FoundLine]) -> str:
    return f"{path}\n" + "\n".join(
        f"  {score:+.3f}  {line.text}{credit(line.author, line.title)}" for line, score in found
    )


def credit(author: str, title: str) -> str:
    """Author and title, as far as they are known: "  王勃《滕王阁》"."""
    return f"  {author}{f'《{title}》' if title else ''}" if author or title else ""
