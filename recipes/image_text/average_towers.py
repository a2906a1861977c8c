"""The mean of two runs' image towers: a little better than either (model soups, Wortsman et al. 2022).

python -m recipes.image_text.average_towers --runs runs/image_cycle1 runs/image_cycle2 --out runs/image_tower
"""

from __future__ import annotations

import argparse
from pathlib import Path

from safetensors.torch import load_file, save_file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, nargs=2, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    first, second = (load_file(run / "image_tower.safetensors") for run in args.runs)
    mean = {name: ((first[name].float() + second[name].float()) / 2).to(first[name].dtype) for name in first}
    args.out.mkdir(parents=True, exist_ok=True)
    save_file(mean, args.out / "image_tower.safetensors")


if __name__ == "__main__":
    main()
