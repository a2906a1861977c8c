"""A disk cache for arrays that are costly to compute and always come out the same."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from platformdirs import user_cache_dir  # the right folder on Linux, macOS and Windows
from safetensors import SafetensorError
from safetensors.numpy import load_file, save


def cache_folder() -> Path:
    """IMAGE_TO_POEM_CACHE if set, else the system's folder for caches."""
    return Path(os.environ.get("IMAGE_TO_POEM_CACHE") or user_cache_dir("image-to-poem"))


def digest(parts: Iterable[str]) -> str:
    """A key that changes when any part does."""
    key = hashlib.sha256()
    for part in parts:
        key.update(part.encode() + b"\0")
    return key.hexdigest()[:32]


def cached(key: str, compute: Callable[[], np.ndarray]) -> np.ndarray:
    """The array stored under `key`, or else `compute()`, which is stored then.

    A damaged file is computed again; a folder that cannot be written to only costs the time.
    """
    path = cache_folder() / f"{key}.safetensors"
    try:
        return load_file(path)["array"]
    except (OSError, SafetensorError, KeyError):
        array = compute()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".new", delete=False) as file:
            file.write(save({"array": np.ascontiguousarray(array)}))
        os.replace(file.name, path)  # atomic: a reader sees the whole file or none
    except OSError:
        pass
    return array
