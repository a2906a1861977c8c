"""Poems for any number of pictures, block by block.

While the model writes the poems of one block, threads decode the pictures of the next and draw the cards of the last.
A picture that fails costs its own record and nothing else.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from helpers.config import ASSETS, load_config
from helpers.options import DEFAULT, DEFAULT_CARD, CardOptions, PoemOptions
from helpers.pipeline.names import readable
from helpers.storage import whole_file

if TYPE_CHECKING:
    from PIL import Image

    from helpers.keywords import ScoredWord
    from helpers.pipeline.image_to_poem import ImageToPoem, PicturePoem

In, Out = TypeVar("In"), TypeVar("Out")

TABLES = (  # of the assets: what else makes other poems than the models do
    "keyword.txt",
    "image_text/keywords.safetensors",
    "lines",
    "poems",
)


@dataclass(frozen=True)
class PoemJob:
    """All wishes for a batch of pictures; plain values, so that it can be sent to other machines."""

    profile: str = "mini"
    keywords: tuple[str, ...] | None = None  # instead of each picture's own
    options: PoemOptions = DEFAULT
    card: CardOptions = DEFAULT_CARD
    batch_size: int = 64

    def __post_init__(self) -> None:
        self.options.check_keywords(self.keywords)

    def settings(self, cards: Path | None = None, assets: Path = ASSETS) -> dict:
        """All that makes two runs the same job, with the folder of the cards if there are to be any.

        The batch size may change, as after one that did not fit the memory. `assets` has the TABLES.
        """
        from helpers.storage import folder_digest  # brings NumPy, which --help has no need of

        config = load_config(self.profile)
        return {
            "keywords": self.keywords,
            **asdict(self.options),
            "image_text_model": folder_digest(config.image_text_model),
            "poem_model": folder_digest(config.poem_model),
            "poem_reader": folder_digest(config.poem_reader),
            **({"captioner": folder_digest(config.captioner)} if self.options.way == "caption" else {}),
            **({"phrases": folder_digest(assets / "phrases.tsv")} if self.options.way == "interrogate" else {}),
            **({"verse_prefix": folder_digest(config.verse_prefix)} if self.options.way == "picture" else {}),
            **{name: folder_digest(assets / name) for name in TABLES},
            "keywords_a_picture": config.keywords,
            **({"cards": cards, **asdict(self.card)} if cards else {}),
        }


class Row(NamedTuple):
    """A picture on its way; after an error it only passes through. The image stays no longer than it is needed."""

    name: str
    card: Path | None = None  # path of its card
    image: Image.Image | None = None
    poem: PicturePoem | None = None
    error: str = ""


def poem_blocks(rows: Sequence[Row], job: PoemJob, load: Callable[[], ImageToPoem]) -> Iterator[list[dict]]:
    """The records of the pictures, `job.batch_size` at a time and in order; `load` is called for the first good one.

    A picture that failed has an "error", one line. Raises ValueError for a request that can be met for no picture.
    """
    blocks = (rows[start : start + job.batch_size] for start in range(0, len(rows), job.batch_size))
    threads = ThreadPoolExecutor(max(2, os.cpu_count() or 1))
    try:
        decoded = ahead(threads, decode, blocks)
        written = (write(block, job, load) for block in decoded)
        yield from ahead(threads, partial(finish, job=job), written)
    finally:
        threads.shutdown(cancel_futures=True)


def ahead(
    threads: ThreadPoolExecutor, function: Callable[[In], Out], blocks: Iterable[Sequence[In]]
) -> Iterator[list[Out]]:
    """The function of every element of each block, in order; the next block is under way while one is looked at."""
    waiting: deque[list] = deque()
    for block in blocks:
        waiting.append([threads.submit(function, element) for element in block])
        if len(waiting) > 1:
            yield [future.result() for future in waiting.popleft()]
    for futures in waiting:
        yield [future.result() for future in futures]


def decode(row: Row) -> Row:
    from helpers.data import ImageError, load_image

    if readable(row.name) != row.name:
        return row._replace(error=f"{readable(row.name)}: this name is not UTF-8, rename the file")
    try:
        return row._replace(image=load_image(row.name))
    except ImageError as error:
        return row._replace(error=str(error))


def write(rows: Sequence[Row], job: PoemJob, load: Callable[[], ImageToPoem]) -> list[Row]:
    """The rows with a poem for each picture, all in one call of the pipeline."""
    images = [row.image for row in rows if row.image]
    if not images:
        return list(rows)
    call = partial(load(), keywords=job.keywords, options=job.options)
    answers = iter(answers_or_errors(call, images))
    return [with_answer(row, next(answers)) if row.image else row for row in rows]


def answers_or_errors(
    call: Callable[[list[Image.Image]], list[PicturePoem]], images: list[Image.Image]
) -> list[PicturePoem | Exception]:
    """All pictures at once or, if that fails, each alone: one of them may be at fault, or their number."""
    from PIL import Image

    try:
        return call(images)
    except Exception as error:  # once this is left, nothing holds the memory of the failed call any more
        reason = f"{type(error).__name__}: {error}"
    call([Image.new("RGB", (32, 32))])  # no picture is at fault where this fails, too: it ends the job
    warn(f"{len(images)} pictures in one call failed, so they are done one by one ({reason})")
    return [answer_or_error(call, image) for image in images]


def warn(text: str) -> None:
    """One line on stderr, above the progress bar if there is one."""
    from tqdm import tqdm

    tqdm.write(f"warning: {' '.join(text.split())}", file=sys.stderr)


def answer_or_error(
    call: Callable[[list[Image.Image]], list[PicturePoem]], image: Image.Image
) -> PicturePoem | Exception:
    try:
        return call([image])[0]
    except Exception as error:
        return error


def with_answer(row: Row, answer: PicturePoem | Exception) -> Row:
    if isinstance(answer, Exception):
        return row._replace(image=None, error=f"{row.name}: {type(answer).__name__}: {answer}")
    return row._replace(image=row.image if row.card else None, poem=answer)


def finish(row: Row, job: PoemJob) -> dict:
    """The row's record; the card is there before it."""
    if row.poem and row.card:
        try:
            write_card(row.card, row.image, row.poem, job.card)
        except Exception as error:
            row = row._replace(error=f"{row.card}: {type(error).__name__}: {error}")
    if row.error:
        return {"image": readable(row.name), "error": " ".join(row.error.split())}
    return poem_record(row)


def write_card(path: Path, image: Image.Image, poem: PicturePoem, options: CardOptions) -> None:
    """The card as PNG, whole or not at all; its folder is made if need be."""
    from helpers.cards import poem_card

    card = poem_card(image, poem.poem.lines, poem.title, layout=options.layout, theme=options.theme)
    with whole_file(path) as unfinished:
        card.save(unfinished, "PNG", compress_level=1)  # three times as fast as the default, for a tenth more bytes


def poem_record(row: Row) -> dict:
    """The record of a picture: of a poem that a poet's line opens, also whose line it is."""
    result, opening = row.poem, row.poem.poem.opening
    return {
        "image": row.name,
        **({"caption": result.caption} if result.caption else {}),
        "keywords": keyword_records(result.keywords),
        "plan": list(result.plan),
        "poem": list(result.poem.lines),
        "checks": result.checks,
        "missing": result.missing,
        **({"opening": opening._asdict()} if opening else {}),
        **({"card": str(row.card)} if row.card else {}),
    }


def keyword_records(row: Sequence[ScoredWord]) -> list[dict]:
    """The words with their standard scores, the probability that each is true, and whether it is claimed to be seen."""
    return [
        {"word": word, "score": round(score, 4), "probability": round(chance, 4), "seen": seen}
        for word, score, chance, seen in row
    ]
