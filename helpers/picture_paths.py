"""Names of pictures, as a reader gives them on the command line: files, folders and patterns."""

from __future__ import annotations

import glob
import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")  # what is taken from a folder


def matches(name: str) -> list[str]:
    """The files that one name stands for: a folder's pictures (sorted, with all below), a pattern's files, or itself.

    Raises ValueError for a folder or a pattern with nothing in it. A file that is missing is still itself: whoever
    reads it says so.
    """
    path = os.path.expanduser(name)
    if os.path.isdir(path):
        below = glob.glob(os.path.join(glob.escape(path), "**"), recursive=True)
        found = [file for file in below if file.lower().endswith(SUFFIXES)]
    elif glob.has_magic(path) and not os.path.lexists(path):  # a file may well be called "lake [1].jpg"
        found = glob.glob(path, recursive=True)
    else:
        return [name]
    files = sorted(file for file in found if not os.path.isdir(file))
    if not files:
        raise ValueError(f"{name}: no picture matches" if not os.path.isdir(path) else f"{name}: a folder, no picture")
    return files


def identity(name: str) -> str:
    """The same for all names of one file from this folder: photos/a.jpg, ./photos/a.jpg, its absolute path."""
    return os.path.abspath(os.path.expanduser(name))


def card_paths(names: Sequence[str], folder: Path, others: Iterable[str] = ()) -> list[Path]:
    """Where each picture's card goes: by its name, with a hash of its path where names (or those of `others`) collide.

    A card's name does not depend on the order of the pictures, nor on which of them already have one.
    """
    keys = {identity(name) for name in (*names, *others)}
    stems = Counter(Path(key).stem.casefold() for key in keys)  # some file systems know no case
    cards = []
    for name in names:
        stem, key = Path(name).stem, identity(name)
        mark = f"_{hashlib.sha256(os.fsencode(key)).hexdigest()[:8]}" if stems[stem.casefold()] > 1 else ""
        cards.append(folder / f"{stem}{mark}_poem.png")
    return cards
