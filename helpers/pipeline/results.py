"""The results of a batch: a JSON-lines file that a run which was killed can be resumed with.

A record is written once, when all that belongs to it is there. Beside poems.jsonl, the folder poems.jsonl.run keeps the
settings of the run (run.json) and the pictures that failed when it last ran (failed.jsonl).
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from helpers.pipeline.names import identity, readable
from helpers.training import RUN, begin_run, check_resumable

try:
    import fcntl
except ImportError:  # Windows, where nothing is locked
    fcntl = None

FAILED = "failed.jsonl"


class PoemFile:
    """A file of records, opened to go on with; `done` are the identities of the pictures that have one.

    Raises ValueError if another process writes to it, if it belongs to a run with other settings or from another
    working folder, or if it holds anything but records.
    """

    def __init__(self, path: Path, settings: dict) -> None:
        self.path, self.folder = path, Path(f"{path}.run")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+b")
        try:
            lock(self._file, path)
            # The records have the names as they were typed: from another folder they would be other pictures.
            self._begin(settings | {"working folder": readable(os.getcwd())})
            self.done = read_names(self._file, path)
        except BaseException:
            self._file.close()
            raise
        self.failed_path = self.folder / FAILED
        self._failed = self.failed_path.open("wb")  # anew: what failed before is tried again

    def __enter__(self) -> PoemFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._failed.close()

    def _begin(self, settings: dict) -> None:
        if not os.path.getsize(self.path):
            begin_run(self.folder, settings)
        elif (self.folder / RUN).is_file():
            check_resumable(self.folder, settings, resume=True)
        else:
            raise ValueError(f"{self.path}: there is something in it, but not of a run of this command")

    def add(self, records: Sequence[dict]) -> None:
        """Append what is new, and be sure that it is on the disk; failures go to a file of their own."""
        good = {identity(record["image"]): record for record in records if "error" not in record}
        append(self._file, [record for key, record in good.items() if key not in self.done])
        append(self._failed, [record for record in records if "error" in record])
        self.done |= good.keys()


def lock(file: BinaryIO, path: Path) -> None:
    """Until the file is closed or the process ends, in whatever way; ValueError if another process holds it."""
    try:
        if fcntl:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ValueError(f"{path}: another process is writing to it") from error


def read_names(file: BinaryIO, path: Path) -> set[str]:
    """The pictures that have a record in the file; a last line that was not finished is cut off."""
    names, end = set(), 0
    file.seek(0)
    for number, line in enumerate(file, 1):
        if not line.endswith(b"\n"):
            file.truncate(end)
            break
        end += len(line)
        try:
            names.add(identity(json.loads(line)["image"]))
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"{path}: line {number} is not the record of a picture") from error
    return names


def append(file: BinaryIO, records: Sequence[dict]) -> None:
    if records:
        file.write("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode())
        file.flush()
        os.fsync(file.fileno())
