"""Features of CLIP's own ViT-B/16 image tower for all photos, prepared as the shipped model prepares them.

    python -m recipes.clip_features --photos FOLDER_OR_PARQUET --clip clip_vitb16_vision.safetensors --out FILE

The file holds `image_embeds` (N, 512), of unit norm. A run that was killed continues after the last finished block.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F
from tqdm import tqdm
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from helpers.clip import SquashImageProcessor
from helpers.config import autocast
from helpers.storage import whole_file
from recipes.photos import read_photos

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)  # CLIP's own
SIZE = 224
BLUR = 1.0  # pixels; see the card of helpers/assets/image_text
BLOCK = 64  # photos between two checkpoints


def load_image_tower(path: str | Path) -> CLIPVisionModelWithProjection:
    """OpenAI's CLIP ViT-B/16 image tower from a safetensors file."""
    config = CLIPVisionConfig(patch_size=16, projection_dim=512, hidden_act="quick_gelu")
    model = CLIPVisionModelWithProjection(config).eval()
    model.load_state_dict(load_file(path))
    return model


@torch.inference_mode()
def encode(tower: CLIPVisionModelWithProjection, processor: SquashImageProcessor, photos: list) -> torch.Tensor:
    """Pictures of any size -> unit embeddings (B, 512)."""
    with autocast("cpu"):
        features = tower(processor.preprocess(photos)["pixel_values"]).image_embeds.float()
    return F.normalize(features, dim=-1)


def read_features(paths: Sequence[Path]) -> list[torch.Tensor]:
    """The features in files of this recipe: (P, 512) each."""
    return [load_file(path)["image_embeds"] for path in paths]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--clip", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    tower, photos = load_image_tower(args.clip), read_photos(args.photos)
    processor = SquashImageProcessor(SIZE, MEAN, STD, BLUR)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    partial = args.out.with_suffix(".partial")
    embeds = load_file(partial)["image_embeds"].clone() if partial.exists() else torch.zeros(0, 512)  # off the file
    for start in tqdm(range(len(embeds), len(photos), BLOCK), unit="block"):
        block = [photos[i] for i in range(start, min(start + BLOCK, len(photos)))]
        embeds = torch.cat([embeds, encode(tower, processor, block)])
        with whole_file(partial) as unfinished:
            save_file({"image_embeds": embeds}, unfinished)
    partial.replace(args.out)


if __name__ == "__main__":
    main()
