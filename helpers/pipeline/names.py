"""Names of pictures, as a reader gives them on the command line: files, folders and patterns."""

from __future__ import annotations

import glob
import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path


def matches(name: str) -> list[str]:
    """The files that one name stands for: a folder's pictures (sorted, with all below), a pattern's files, or itself.

    Links to folders below a folder are not followed: they may lead round in a circle. Raises ValueError for a folder or
    a pattern with nothing in it. A file that is missing is still itself: whoever reads it says so.
    """
    path = os.path.expanduser(name)
    if os.path.isdir(path):
        from helpers.data import SUFFIXES  # with NumPy and Pillow, which `--help` does without

        found = [file for file in files_below(path) if file.lower().endswith(SUFFIXES)]
    elif glob.has_magic(path) and not os.path.lexists(path):  # a file may well be called "lake [1].jpg"
        found = glob.glob(path, recursive=True)
    else:
        return [name]
    files = sorted(file for file in found if not os.path.isdir(file))
    if not files:
        raise ValueError(f"{name}: no picture matches" if not os.path.isdir(path) else f"{name}: a folder, no picture")
    return files


def files_below(folder: str) -> Iterator[str]:
    """All but hidden ones, as with a pattern."""
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (os.path.join(place, name) for name in files if not name.startswith("."))


def identity(name: str) -> str:
    """The same for all names of one file from this folder: photos/a.jpg, ./photos/a.jpg, its absolute path, a link."""
    return os.path.realpath(os.path.expanduser(name))


def readable(name: str) -> str:
    """The name as text that can be written anywhere: what is not UTF-8 becomes \\udcff and the like."""
    return name.encode(errors="backslashreplace").decode()


def card_paths(names: Sequence[str], folder: Path) -> list[Path]:
    """Paths of the cards of these pictures: each by its picture's name, and marked where two have the same."""
    stems = Counter(Path(name).stem.casefold() for name in names)  # some file systems know no case
    return [
        marked_card_path(name, folder) if stems[Path(name).stem.casefold()] > 1 else card_path(name, folder)
        for name in names
    ]


def marked_card_path(name: str, folder: Path) -> Path:
    """With a hash of the picture's path: it depends on no other picture, so many runs can share the folder."""
    key = hashlib.sha256(os.fsencode(identity(name))).hexdigest()[:16]  # 64 bits: unique among any number of pictures
    return card_path(name, folder, f"_{key}")


def card_path(name: str, folder: Path, mark: str = "") -> Path:
    return folder / f"{Path(name).stem}{mark}_poem.png"
