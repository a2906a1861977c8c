"""All lines of the training poems, one a line: verse for the text tower to read.

python -m recipes.poem_t5.write_lines --poems runs/poems --out runs/lines.txt
"""

from __future__ import annotations

import argparse
from pathlib import Path

from helpers.poems import read_split


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--poems", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    lines = [line for poem in read_split(args.poems, "train") for line in poem.lines]
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
