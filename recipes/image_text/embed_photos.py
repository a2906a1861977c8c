"""Embeddings of all training photos by the trained image tower, for the last fitting of the text tower.

python -m recipes.image_text.embed_photos --photos FOLDER_OR_PARQUET --image runs/image_tower --size 192 --out FILE
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from helpers.clip import ImageTower, ImageTowerConfig
from recipes.image_text.train_image_tower import embed_all, squashed
from recipes.photos import read_photos


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--image", type=Path, required=True)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    tower = ImageTower.from_config(ImageTowerConfig())
    tower.load_state_dict(load_file(args.image / "image_tower.safetensors"))
    photos = read_photos(args.photos)
    whole = torch.tensor([[[0.0, 0.0, 1.0, 1.0]]]).repeat(len(photos), 1, 1)
    tower, views = tower.to(memory_format=torch.channels_last), squashed(photos, whole, args.size)[:, 0]
    embeds = F.normalize(embed_all(tower, views) + embed_all(tower, views.flip(-1)), dim=-1)  # as when it is used
    save_file({"image_embeds": embeds[:, None].contiguous()}, args.out)


if __name__ == "__main__":
    main()
