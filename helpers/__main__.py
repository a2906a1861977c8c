"""The command line: python -m helpers poem IMAGE... | keywords IMAGE... | lines IMAGE...
                                | train clip | train lit | train poem | evaluate retrieval
                                | download-images CSV | filter-pairs CSV

An image that cannot be read costs one line on stderr and makes the exit status 2; the others are still answered.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from helpers.command_line import PictureReader, as_json, complain, from_options, load_pipeline
from helpers.data_commands import add_data_commands
from helpers.line_commands import add_line_commands
from helpers.training_commands import add_training_commands

if TYPE_CHECKING:
    from PIL import Image

    from helpers.pipeline import PicturePoem, ScoredWord


def main(argv: Sequence[str] | None = None) -> int:
    args = build_parser().parse_args(argv)
    try:
        return args.run(args)
    except (ValueError, OSError) as error:  # what the user can mend; anything else is our own mistake and shows itself
        return complain(error)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m helpers", description="A classical Chinese quatrain for a photo.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    poem = commands.add_parser("poem", help="write a quatrain for each picture")
    poem.add_argument("images", nargs="+", metavar="IMAGE")
    poem.add_argument("--form", choices=("7x4", "5x4"), default="7x4", help="characters a line x lines")
    poem.add_argument("--keywords", help="use these words instead of the picture's own: 春,雨")
    poem.add_argument("--n", type=int, default=8, help="candidates, of which the best is shown (default: 8)")
    poem.add_argument("--seed", type=seed_number, default=0)
    poem.add_argument("--card", type=Path, metavar="DIR", help="write a poem card PNG for each picture to DIR")
    poem.set_defaults(run=run_poem)

    keywords = commands.add_parser("keywords", help="rank the words that each picture shows")
    keywords.add_argument("images", nargs="+", metavar="IMAGE")
    keywords.add_argument("--words", metavar="FILE", help="rank all of these (one word a line), not keyword.txt")
    keywords.add_argument("--k", type=int, default=5, help="how many words of keyword.txt (default: 5)")
    keywords.set_defaults(run=run_keywords)

    for command in (poem, keywords):
        command.add_argument("--profile", choices=("mini", "full"), default="mini")
        command.add_argument("--json", action="store_true", help="one JSON object a line")
    add_line_commands(commands)
    add_training_commands(commands)
    add_data_commands(commands)
    return parser


def run_poem(args: argparse.Namespace) -> int:
    from helpers.poem_options import PoemOptions

    keywords = None if args.keywords is None else split_keywords(args.keywords)
    options = from_options(PoemOptions, args)
    reader, cards = PictureReader(args.images), CardFolder(args.card) if args.card else None
    for paths, images in reader:
        results = load_pipeline(args.profile)(images, keywords=keywords, options=options)
        for path, image, result in zip(paths, images, results, strict=True):
            card = cards.write(path, image, result) if cards else None
            print(as_json(poem_record(path, result)) if args.json else poem_text(path, result, card))
    return reader.status


def run_keywords(args: argparse.Namespace) -> int:
    from helpers.keywords import read_words

    if args.k < 1:
        raise ValueError(f"--k must be at least 1, not {args.k}")
    words = read_words(args.words) if args.words else None
    reader = PictureReader(args.images)
    for paths, images in reader:
        pipeline = load_pipeline(args.profile)
        image_embeds = pipeline.encoder.encode_images(images)  # (N, D)
        rows = pipeline.rank(image_embeds, words) if words else pipeline.keywords(image_embeds, args.k)
        for path, row in zip(paths, rows, strict=True):
            record = {"image": path, "keywords": keyword_records(row)}
            print(as_json(record) if args.json else keywords_text(path, row))
    return reader.status


def seed_number(text: str) -> int:
    """A seed that torch takes: 0 to 2**63 - 1."""
    if not 0 <= int(text) < 2**63:
        raise argparse.ArgumentTypeError(f"not between 0 and 2**63 - 1: {text}")
    return int(text)


def split_keywords(text: str) -> list[str]:
    """春,雨 or 春，雨 or 春 雨 -> ["春", "雨"]; ValueError if nothing is left."""
    words = text.replace("，", " ").replace(",", " ").replace("、", " ").split()
    if not words:
        raise ValueError("--keywords is empty: give at least one word, as in --keywords 春,雨")
    return list(dict.fromkeys(words))


class CardFolder:
    """Writes cards to a folder, which is made if need be; two pictures of one name get two cards."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.written: set[Path] = set()

    def write(self, path: str, image: Image.Image, result: PicturePoem) -> Path:
        from helpers.card import poem_card

        stem, number = Path(path).stem, 1
        card = self.folder / f"{stem}_poem.png"
        while card in self.written:
            number += 1
            card = self.folder / f"{stem}_poem_{number}.png"
        self.written.add(card)
        self.folder.mkdir(parents=True, exist_ok=True)
        poem_card(image, result.poem.lines, title=f"题{result.keywords[0].word}图").save(card)
        return card


def keyword_records(row: Sequence[ScoredWord]) -> list[dict]:
    return [{"word": word, "score": round(score, 4)} for word, score in row]


def poem_record(path: str, result: PicturePoem) -> dict:
    return {
        "image": path,
        "keywords": keyword_records(result.keywords),
        "poem": list(result.poem.lines),
        "checks": result.checks,
    }


def keywords_text(path: str, row: Sequence[ScoredWord]) -> str:
    return f"{path}\n" + "\n".join(f"  {score:+.3f}  {word}" for word, score in row)


def poem_text(path: str, result: PicturePoem, card: Path | None) -> str:
    text = f"{keywords_text(path, result.keywords)}\n\n{result.poem}\n"
    return text + (f"\ncard: {card}\n" if card else "")


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # a pipe on Windows, say, cannot hold Chinese otherwise
    sys.exit(main())
