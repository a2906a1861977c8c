"""open_clip's own training command, with small configurations of ours and its two faults mended.

    python -m recipes.coca.open_clip_main --model coca_small --train-data train.csv --dataset-type csv ...

All options are those of `python -m open_clip_train.main` (the articles' `python -m training.main` is its old name). The
csv is of `python -m helpers write-csv`. Like that command it needs `pip install 'webdataset<=0.2.86'`, also for a csv.
"""

from __future__ import annotations

import sys
from pathlib import Path

from helpers.coca import mend, open_clip


def create_mended(name: str, pretrained: str | None = None, **options: object) -> tuple:
    """`create_model_and_transforms`, and the model mended if it is a CoCa."""
    model, *transforms = open_clip.create_model_and_transforms(name, pretrained, **options)
    if isinstance(model, open_clip.CoCa):
        mend(model, pretrained=bool(pretrained))
    return model, *transforms


def main(arguments: list[str]) -> None:
    from open_clip_train import main as open_clip_main  # imports open_clip, which helpers.coca must do first

    open_clip.add_model_config(Path(__file__).parent)
    open_clip_main.create_model_and_transforms = create_mended
    open_clip_main.main(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
