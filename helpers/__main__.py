"""The command line: python -m helpers poem IMAGE... | keywords IMAGE... | lines IMAGE... | caption IMAGE...
                                | interrogate IMAGE...
                                | train clip | train lit | train poem | train clipcap
                                | train capdec | train coca | train reward
                                | evaluate retrieval | evaluate pipeline | evaluate captions
                                | download-images CSV | filter-pairs CSV

Installed, the same is the command image-to-poem. An image that cannot be read costs one line on stderr and makes the
exit status 2; the others are still answered.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from helpers import pipeline  # its names come when they are first used: --help needs no torch
from helpers.commands import (
    add_caption_commands,
    add_captioner_trainings,
    add_data_commands,
    add_evaluate_commands,
    add_interrogate_command,
    add_line_commands,
    add_picture_commands,
    add_reward_training,
    add_training_commands,
    complain,
)

if TYPE_CHECKING:
    from helpers.pipeline import ImageToPoem


def main(argv: Sequence[str] | None = None, load: Callable[[str], ImageToPoem] | None = None) -> int:
    """The exit status; `load` takes a profile to its pipeline, by default `load_pipeline`."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # not in a notebook
        sys.stdout.reconfigure(encoding="utf-8")  # a pipe on Windows, say, cannot hold Chinese otherwise
    args = build_parser().parse_args(argv)
    args.load = load or (lambda profile: pipeline.load_pipeline(profile))
    try:
        return args.run(args)
    except (ValueError, OSError) as error:  # what the user can mend; anything else is our own mistake and shows itself
        return complain(error)
    except KeyboardInterrupt:  # what is done, is done: a batch, a download or a training can be resumed
        return 130


def build_parser() -> argparse.ArgumentParser:
    script = Path(sys.argv[0]).stem == "image-to-poem"
    prog = "image-to-poem" if script else "python -m helpers"
    parser = argparse.ArgumentParser(prog=prog, description="A classical Chinese quatrain for a photo.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    add_picture_commands(commands)
    add_line_commands(commands)
    add_caption_commands(commands)
    add_interrogate_command(commands)
    train = add_training_commands(commands)
    add_captioner_trainings(train)
    add_reward_training(train)
    add_evaluate_commands(commands)
    add_data_commands(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
