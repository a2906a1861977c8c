"""Shared by the commands: pictures by their names, JSON, complaints, options."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, TypeVar

from helpers.pipeline import identity, matches

if TYPE_CHECKING:
    from PIL import Image

Config = TypeVar("Config")  # a dataclass

BATCH = 64  # pictures in memory at a time
PICTURES = "files, folders, or quoted patterns like 'photos/**/*.jpg'"


def add_picture_options(command: argparse.ArgumentParser) -> None:
    """What every command that looks at pictures has."""
    command.add_argument("images", nargs="+", metavar="IMAGE", help=PICTURES)
    command.add_argument("--profile", choices=("mini", "full"), default="mini")
    command.add_argument("--json", action="store_true", help="one JSON object a line")


class PictureReader:
    """Yields the readable pictures with their names, some at a time; `status` becomes 2 if any was not readable."""

    def __init__(self, names: Sequence[str], batch_size: int = BATCH) -> None:
        self.names, self.status = picture_names(names)
        self.batch_size = batch_size

    def __iter__(self) -> Iterator[tuple[list[str], list[Image.Image]]]:
        from helpers.data import ImageError, load_image

        for start in range(0, len(self.names), self.batch_size):
            paths, images = [], []
            for name in self.names[start : start + self.batch_size]:
                try:
                    images.append(load_image(name))
                    paths.append(name)
                except ImageError as error:
                    self.status = complain(error)
            if images:
                yield paths, images


def picture_names(arguments: Sequence[str]) -> tuple[list[str], int]:
    """The pictures that files, folders and patterns stand for, none twice; status 2 where there is none."""
    found: dict[str, str] = {}
    status = 0
    for argument in arguments:
        try:
            for name in matches(argument):
                found.setdefault(identity(name), name)
        except ValueError as error:
            status = complain(error)
    return list(found.values()), status


def as_json(record: dict) -> str:
    return json.dumps(record, ensure_ascii=False)


def complain(error: Exception) -> int:
    """One clear line on stderr; the exit status."""
    print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
    return 2


def positive(text: str) -> int:
    """A whole number above zero."""
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f"not at least 1: {text}")
    return int(text)


def from_options(config_class: type[Config], args: argparse.Namespace) -> Config:
    """The dataclass whose fields are those of the options that have their names."""
    names = {field.name for field in fields(config_class)}
    return config_class(**{name: value for name, value in vars(args).items() if name in names})
