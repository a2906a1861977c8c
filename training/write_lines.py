"""All lines of the training poems, one a line: verse for the text tower to read.

python -m training.write_lines --corpus CHINESE_POETRY --exclude ccpc_valid_v1.0.json --out runs/lines.txt
"""

from __future__ import annotations

import argparse
from pathlib import Path

from training.train_poem_t5 import prepare


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--exclude", type=Path, nargs="*", default=[])
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    poems, _ = prepare(args.corpus, args.exclude)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text("\n".join(line for poem in poems for line in poem.lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
