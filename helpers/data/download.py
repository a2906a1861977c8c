"""The pictures of a list of pairs, downloaded: under its final name stands only a picture that is whole and decodes.

So a run that was killed is simply started again, and fetches what is missing. One run at a time in a folder.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, as_completed, wait
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from helpers.data.fetch import Failure, Limits, fetch_file
from helpers.data.photos import ImageError, load_image
from helpers.data.web_pairs import PairFile, WebPair, write_rows

FAILURES, UNFINISHED = "failures.csv", ".unfinished"  # in the folder of the pictures


class Counts(NamedTuple):
    there: int  # pictures that earlier runs had fetched
    downloaded: int
    failed: int  # pictures, and rows with an impossible name of one


class Outcome(NamedTuple):
    """The outcome of a row; `reason`: why there is no picture, if there is none."""

    filename: str
    url: str
    reason: str | None


def download_images(source: Path, folder: Path, limits: Limits, workers: int = 16) -> Counts:
    """Fetch the pictures that `folder` lacks; its failures.csv (filename,url,reason) then lists those without success.

    Args:
        source: a csv with the columns text, url, filename and perhaps sha256 (of the file, in hexadecimal).
        workers: how many pictures at a time.

    Raises:
        ValueError: `source` is not such a csv.
        OSError: a file cannot be read or written; say, the disk is full.
    """
    pairs = PairFile(source)
    wanted = {pair.filename for pair in pairs}
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder / UNFINISHED, ignore_errors=True)  # left by a run that was killed
    (folder / FAILURES).unlink(missing_ok=True)  # an earlier run's list: this run writes its own
    there = wanted & set(os.listdir(folder))
    print(f"{len(there):,} of {len(wanted):,} pictures are there already", file=sys.stderr)

    (folder / UNFINISHED).mkdir()
    downloaded, failures = 0, []
    with tqdm(total=len(wanted) - len(there), desc="download", unit="picture") as progress:
        for outcome in in_threads(partial(download, folder, limits), to_fetch(pairs, there), workers):
            progress.update()
            if outcome.reason is None:
                downloaded += 1
            else:
                failures.append(outcome)
    (folder / UNFINISHED).rmdir()
    if failures:
        write_rows(folder / FAILURES, Outcome._fields, sorted(failures))
    return Counts(len(there), downloaded, len(failures))


class Job(NamedTuple):
    pair: WebPair
    fault: str | None  # the reason not to fetch this row's picture


def to_fetch(pairs: Iterable[WebPair], there: set[str]) -> Iterator[Job]:
    """Each picture that is not there, once, and the rows at fault."""
    url_of: dict[str, str] = {}
    for pair in pairs:
        if pair.filename not in url_of:
            url_of[pair.filename] = pair.url
            if not is_plain(pair.filename):
                yield Job(pair, "not a plain file name")
            elif pair.filename not in there:
                yield Job(pair, None)
        elif pair.url != url_of[pair.filename]:
            yield Job(pair, "an earlier row has this file name with another url")


def is_plain(name: str) -> bool:
    """True if this is the name of a visible file, not of our own, that any file system takes, and no path."""
    plain = name.isprintable() and not set('/\\:*?"<>|') & set(name)
    return plain and name[:1] not in ("", ".") and name != FAILURES and len(name.encode()) <= 255


def download(folder: Path, limits: Limits, job: Job) -> Outcome:
    """Fetch one picture beside its place and move it there when it is whole and of the right kind."""
    pair, reason = job
    unfinished = folder / UNFINISHED / pair.filename
    if reason is None:
        try:
            fetch_file(pair.url, unfinished, limits)
            check_picture(unfinished, pair.row.get("sha256", "").strip())
            os.replace(unfinished, folder / pair.filename)
        except Failure as failure:
            reason = str(failure)
            unfinished.unlink(missing_ok=True)
    return Outcome(pair.filename, pair.url, reason)


def check_picture(path: Path, sha256: str) -> None:
    """Raises Failure if the file is not the one that the list means, or cannot be decoded."""
    if sha256 and hashlib.sha256(path.read_bytes()).hexdigest() != sha256.lower():
        raise Failure("sha256 is another one")
    try:
        load_image(path)
    except ImageError as error:
        raise Failure(str(error).removeprefix(f"{path}: ")) from error


def in_threads(function: Callable[[Job], Outcome], jobs: Iterable[Job], workers: int) -> Iterator[Outcome]:
    """Results of `function` for each job, as they are done; only a few jobs at a time are taken from their list."""
    waiting: set[Future[Outcome]] = set()
    pool = ThreadPoolExecutor(workers)
    try:
        for job in jobs:
            waiting.add(pool.submit(function, job))
            if len(waiting) >= 4 * workers:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        yield from (future.result() for future in as_completed(waiting))
    finally:
        pool.shutdown(cancel_futures=True)  # after an error, nothing more is begun
