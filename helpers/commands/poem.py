"""The commands that look at pictures: python -m helpers poem IMAGE... | keywords IMAGE..."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from helpers.commands.lines import credit
from helpers.commands.shared import (
    BATCH,
    PictureReader,
    add_picture_options,
    as_json,
    complain,
    from_options,
    picture_names,
    positive,
)
from helpers.options import (
    DEFAULT,
    DEFAULT_CARD,
    FEW,
    FORMS,
    LAYOUT_NAMES,
    THEME_NAMES,
    WAYS,
    CardOptions,
    PoemOptions,
    punctuated,
)
from helpers.pipeline import PoemJob, Row, card_paths, identity, keyword_records, marked_card_path, poem_blocks

ENGINES = ("local", "ray")
SWITCHES = {  # of PoemOptions, all on by default
    "rhyme": "lines 2 and 4 need not rhyme",
    "tone": "the tones (平仄) may stand in any order",
    "keyword_per_line": "the keywords may stand in any line, or in none",
}


def add_picture_commands(commands: argparse._SubParsersAction) -> None:
    poem = commands.add_parser("poem", help="write a quatrain for each picture")
    keywords = commands.add_parser("keywords", help="rank the words that each picture shows")
    for command in (poem, keywords):
        add_picture_options(command)
        command.add_argument("--batch-size", type=positive, default=BATCH, help="pictures at a time (default: 64)")
    add_wishes(poem.add_argument_group("the poem"))
    add_card_wishes(poem.add_argument_group("the card"))
    add_results(poem.add_argument_group("the results"))
    poem.set_defaults(run=run_poem)
    keywords.add_argument("--words", metavar="FILE", help="rank all of these (one word a line), not keyword.txt")
    keywords.add_argument("--k", type=int, default=5, help="how many words of keyword.txt (default: 5)")
    keywords.set_defaults(run=run_keywords)


def add_wishes(poem: argparse._ArgumentGroup) -> None:
    """The keywords, and the fields of `PoemOptions` with its defaults."""
    poem.add_argument("--keywords", metavar="春,雨", help="use these words instead of the picture's own")
    poem.add_argument("--form", choices=FORMS, help="characters a line x lines")
    poem.add_argument(
        "--n", type=int,
        help=f"candidates, of which the best is shown (default: {DEFAULT.n} for one picture, {FEW} each for several)",
    )  # fmt: skip
    poem.add_argument(
        "--seed", type=int, help="the same seed, n and keywords give the same poems, whatever else is in the batch"
    )
    for name, help_text in SWITCHES.items():
        poem.add_argument(f"--no-{name.replace('_', '-')}", dest=name, action="store_false", help=help_text)
    poem.add_argument("--acrostic", metavar="春夏秋冬", help="the characters that the lines begin with")
    poem.add_argument(
        "--way", choices=WAYS,
        help="from keywords (default), from a classical line that is like the picture, with the picture looking on, or "
        "from what its caption says",
    )  # fmt: skip
    poem.set_defaults(**{**vars(DEFAULT), "n": None})


def add_card_wishes(card: argparse._ArgumentGroup) -> None:
    """The folder of the cards, and the fields of `CardOptions` with its defaults."""
    card.add_argument(
        "--card", "--cards", type=Path, metavar="DIR",
        help="write a poem card PNG for each picture to DIR; with --out, a hash of the picture's path is in its name",
    )  # fmt: skip
    card.add_argument("--layout", choices=LAYOUT_NAMES, help="of the cards")
    card.add_argument("--theme", choices=THEME_NAMES, help="paper and ink (default: by the photo)")
    card.set_defaults(**vars(DEFAULT_CARD))


def add_results(poem: argparse._ArgumentGroup) -> None:
    poem.add_argument(
        "--out",
        type=Path,
        metavar="FILE.jsonl",
        help="write the results there; run again, it does only what is missing",
    )
    poem.add_argument("--engine", choices=ENGINES, default="local", help="ray: on many machines or GPUs (Ray Data)")


def run_poem(args: argparse.Namespace) -> int:
    keywords = None if args.keywords is None else split_keywords(args.keywords)
    names, status = picture_names(args.images)
    if args.n is None:
        args.n = FEW if args.out or len(names) > 1 else DEFAULT.n  # a file may go on with more pictures
    options, card = from_options(PoemOptions, args), from_options(CardOptions, args)
    job = PoemJob(args.profile, keywords, options, card, args.batch_size)
    return max(status, (write_file if args.out else print_poems)(names, job, args))


def print_poems(names: Sequence[str], job: PoemJob, args: argparse.Namespace) -> int:
    status = 0
    cards = card_paths(names, args.card) if args.card else [None] * len(names)
    rows = [Row(*pair) for pair in zip(names, cards, strict=True)]
    for block in blocks_of(rows, job, args):
        for record in block:
            if "error" in record:
                status = complain(record["error"])
            else:
                print(as_json(record) if args.json else poem_text(record))
    return status


def write_file(names: Sequence[str], job: PoemJob, args: argparse.Namespace) -> int:
    from tqdm import tqdm

    from helpers.pipeline import PoemFile

    status, failed = 0, 0
    with PoemFile(args.out, job.settings(args.card)) as file:
        missing = [name for name in names if identity(name) not in file.done]
        rows = [Row(name, marked_card_path(name, args.card) if args.card else None) for name in missing]
        with tqdm(total=len(names), initial=len(names) - len(rows), unit="photo") as bar:
            for block in blocks_of(rows, job, args):
                file.add(block)
                errors = [record["error"] for record in block if "error" in record]
                if errors:
                    with tqdm.external_write_mode():  # or else the bar and the lines get mixed
                        status = max(map(complain, errors))
                failed += len(errors)
                bar.set_postfix(failed=failed, refresh=False)
                bar.update(len(block))
    if failed:
        print(f"{failed} failed, see {file.failed_path}; run again to try them once more", file=sys.stderr)
    return status


def blocks_of(rows: Sequence[Row], job: PoemJob, args: argparse.Namespace) -> Iterator[list[dict]]:
    if args.engine == "local":
        return poem_blocks(rows, job, lambda: args.load(job.profile))
    from helpers.pipeline import ray_blocks

    return ray_blocks(rows, job)


def run_keywords(args: argparse.Namespace) -> int:
    from helpers.keywords import read_words

    if args.k < 1:
        raise ValueError(f"--k must be at least 1, not {args.k}")
    words = read_words(args.words) if args.words else None
    reader = PictureReader(args.images, args.batch_size)
    for paths, images in reader:
        pipeline = args.load(args.profile)
        image_embeds = pipeline.encoder.encode_images(images)  # (N, D)
        rows = pipeline.rank(image_embeds, words) if words else pipeline.keywords(image_embeds, args.k)
        for path, row in zip(paths, rows, strict=True):
            record = {"image": path, "keywords": keyword_records(row)}
            print(as_json(record) if args.json else keywords_text(record))
    return reader.status


def split_keywords(text: str) -> tuple[str, ...]:
    """春,雨 or 春，雨 or 春 雨 -> ("春", "雨"); ValueError if nothing is left."""
    words = text.replace("，", " ").replace(",", " ").replace("、", " ").split()
    if not words:
        raise ValueError("--keywords is empty: give at least one word, as in --keywords 春,雨")
    return tuple(dict.fromkeys(words))


def keywords_text(record: dict) -> str:
    """A line for each word: how likely it is to be true of the picture, and whether it is claimed to be seen."""
    notes = {True: "", False: "  (not seen)"}
    rows = [f"  {row['probability']:4.0%}  {row['word']}{notes[row['seen']]}" for row in record["keywords"]]
    caption = [f"  {record['caption']}"] if "caption" in record else []
    return "\n".join([record["image"], *caption, *rows])


def poem_text(record: dict) -> str:
    text = f"{keywords_text(record)}\n\n{punctuated(record['poem'])}\n"
    if "opening" in record:
        text += f"\nfirst line:{credit(record['opening']['author'], record['opening']['title'])}\n"
    for word, reason in record["missing"].items():
        text += f"\nwithout {word}: {reason}\n"
    return text + (f"\ncard: {record['card']}\n" if "card" in record else "")
