"""A disk cache for arrays that are costly to compute and always come out the same."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from helpers.storage.atomic import whole_file

if TYPE_CHECKING:
    import numpy as np


def cache_folder() -> Path:
    """IMAGE_TO_POEM_CACHE if set, else the system's folder for caches."""
    from platformdirs import user_cache_dir  # the right folder on Linux, macOS and Windows

    return Path(os.environ.get("IMAGE_TO_POEM_CACHE") or user_cache_dir("image-to-poem"))


def digest(parts: Iterable[str]) -> str:
    """A key that changes when any part does."""
    key = hashlib.sha256()
    for part in parts:
        key.update(part.encode() + b"\0")
    return key.hexdigest()[:32]


def array_digest(array: np.ndarray) -> str:
    """A key that changes when any number of the array does."""
    return hashlib.sha256(array.tobytes()).hexdigest()


def cached(key: str, compute: Callable[[], np.ndarray]) -> np.ndarray:
    """The array stored under `key`, or else `compute()`, which is stored then.

    A damaged file is computed again; a folder that cannot be written to only costs the time.
    """
    import numpy as np
    from safetensors import SafetensorError
    from safetensors.numpy import load_file, save_file

    path = cache_folder() / f"{key}.safetensors"
    try:
        return load_file(path)["array"]
    except (OSError, SafetensorError, KeyError):
        array = compute()
    try:
        with whole_file(path) as unfinished:
            save_file({"array": np.ascontiguousarray(array)}, unfinished)
    except OSError:
        pass
    return array


def file_sha256(path: Path) -> str:
    key = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            key.update(block)
    return key.hexdigest()


def folder_digest(name: str | Path) -> str:
    """A key that changes when the file, or a file of the folder, does; of a hub id there is only the name."""

    found = [Path(name), *sorted(Path(name).rglob("*"))]
    files = [path for path in found if path.is_file() and path.suffix != ".md"]
    return digest([part for path in files for part in (path.name, file_sha256(path))]) if files else str(name)
