"""Put the trained judge among the assets, in eight bits, with its embeddings of the wallpapers as reference pictures.

python -m recipes.judge.export --model runs/judge --wallpapers DATA/wallpapers --out helpers/assets/judge
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from helpers.chinese_clip import ImageTextEncoder
from helpers.clip import load_clip, save_clip
from helpers.pipeline import REFERENCE
from recipes.photos import read_photos


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--wallpapers", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    save_clip(*load_clip(args.model), args.out, quantized=True)
    embeds = ImageTextEncoder.from_pretrained(args.out).encode_images(read_photos(args.wallpapers))
    save_file({"image_embeds": embeds.astype(np.float16)}, args.out / REFERENCE)


if __name__ == "__main__":
    main()
