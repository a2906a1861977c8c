"""Features of CLIP's own ViT-B/16 image tower (the teacher) for all photos and for random crops of them.

    python -m recipes.image_text.teacher_features --photos FOLDER_OR_PARQUET --clip clip_vitb16_vision.safetensors \
        --views 8 --out runs/teacher/wallpapers.safetensors

View 0 is the whole picture; the others are crops of 30 to 100% of it, so that few landscapes teach more than their
number. The file holds `boxes` (N, V, 4), as fractions of the width and height, and `image_embeds` (N, V, 512).
A run that was killed continues after the last finished block.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from tqdm import tqdm
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from recipes.photos import read_photos

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)  # CLIP's own
SIZE = 224
BLOCK = 64  # photos between two checkpoints


def load_teacher(path: str | Path) -> CLIPVisionModelWithProjection:
    """OpenAI's CLIP ViT-B/16 image tower from a safetensors file."""
    config = CLIPVisionConfig(patch_size=16, projection_dim=512, hidden_act="quick_gelu")
    model = CLIPVisionModelWithProjection(config).eval()
    model.load_state_dict(load_file(path))
    return model


def random_box(rng: random.Random) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of a crop: 30 to 100% of the area, sides in 3:4 to 4:3 of the picture's ratio."""
    area, ratio = rng.uniform(0.3, 1.0), rng.uniform(0.75, 1.33)
    width, height = min(1.0, (area * ratio) ** 0.5), min(1.0, (area / ratio) ** 0.5)
    left, top = rng.uniform(0, 1 - width), rng.uniform(0, 1 - height)
    return left, top, left + width, top + height


def crop(image: Image.Image, box: tuple[float, ...]) -> Image.Image:
    w, h = image.size
    return image.crop((round(box[0] * w), round(box[1] * h), round(box[2] * w), round(box[3] * h)))


def pixels(image: Image.Image) -> torch.Tensor:
    """The whole picture squashed to a square and normalised: (3, 224, 224)."""
    array = np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BICUBIC), dtype=np.float32) / 255
    return torch.from_numpy((array - np.float32(MEAN)) / np.float32(STD)).permute(2, 0, 1)


@torch.inference_mode()
def encode_views(model: CLIPVisionModelWithProjection, image: Image.Image, boxes: list[tuple]) -> torch.Tensor:
    """Unit embeddings of the crops of one picture: (V, 512)."""
    batch = torch.stack([pixels(crop(image, box)) for box in boxes])
    with torch.autocast("cpu", torch.bfloat16):
        features = model(batch).image_embeds.float()
    return torch.nn.functional.normalize(features, dim=-1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--clip", type=Path, required=True)
    parser.add_argument("--views", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    model, photos = load_teacher(args.clip), read_photos(args.photos)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    partial = args.out.with_suffix(".partial")
    done = load_file(partial) if partial.exists() else {}
    boxes, embeds = ([row.clone() for row in done.get(key, [])] for key in ("boxes", "image_embeds"))  # off the file
    for i in tqdm(range(len(boxes), len(photos)), initial=len(boxes), total=len(photos), unit="photo"):
        rng = random.Random(i)
        views = [(0.0, 0.0, 1.0, 1.0)] + [random_box(rng) for _ in range(args.views - 1)]
        boxes.append(torch.tensor(views))
        embeds.append(encode_views(model, photos[i], views))
        if (i + 1) % BLOCK == 0 or i + 1 == len(photos):
            save_file({"boxes": torch.stack(boxes), "image_embeds": torch.stack(embeds)}, partial.with_suffix(".new"))
            partial.with_suffix(".new").replace(partial)
    partial.replace(args.out)


if __name__ == "__main__":
    main()
