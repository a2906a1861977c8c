"""Files and folders that appear whole or not at all: written beside their place, then moved there in one step."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Yields a path to write to; what is there when the block ends takes the place of `path`, of which others see
    the old content until then.

    The folder is made if need be. After an error nothing is left and `path` is as it was. Each writer gets a path of
    its own, so two of them may write the same file: one whole file wins.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name[:40]}.") as folder:
        unfinished = Path(folder) / path.name
        yield unfinished
        os.replace(unfinished, path)


@contextmanager
def whole_folder(path: str | Path) -> Iterator[Path]:
    """The same for a new folder: yields an empty one, which becomes `path` when the block ends.

    Raises FileExistsError if there is such a folder already.
    """
    path = Path(path)
    if path.exists():
        raise FileExistsError(f"{path}: exists already")
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name[:40]}."))
    try:
        yield unfinished
        unfinished.chmod(0o777 & ~_umask())  # mkdtemp's own is for nobody else
        os.replace(unfinished, path)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
