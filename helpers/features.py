"""What frozen backbones make of pictures and texts, computed once: the features that projection heads train on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from helpers.cache import cached, digest
from helpers.captions import CaptionData, flatten
from helpers.clip_bundle import CLIPBundle, weights_digest
from helpers.config import pick_dtype

BATCH = 64


def image_features(bundle: CLIPBundle, pictures: Sequence[Image.Image], device: str) -> np.ndarray:
    """Pictures and their mirror images through the frozen backbone: (N, 2, F) float32."""
    backbone = bundle.model.image.backbone.eval().to(device, memory_format=torch.channels_last)
    blocks = []
    with torch.inference_mode(), _autocast(device):  # moved in here, a tower could never be trained again
        for start in tqdm(range(0, len(pictures), BATCH), desc="image features", unit="batch", leave=False):
            pixels = bundle.pixels([pictures[i] for i in range(start, min(start + BATCH, len(pictures)))]).to(device)
            blocks.append(torch.stack([backbone(pixels), backbone(pixels.flip(-1))], dim=1).float().cpu())  # (B, 2, F)
    return torch.cat(blocks).numpy()


def text_features(bundle: CLIPBundle, texts: Sequence[str], device: str) -> np.ndarray:
    """Texts through the frozen backbone, pooled: (M, F) float32.

    Texts of like length share a batch, so that little is spent on padding.
    """
    tower = bundle.model.text.eval().to(device)
    order = np.argsort([len(text) for text in texts], kind="stable")
    features = np.empty((len(texts), tower.backbone.config.dim), dtype=np.float32)
    with torch.inference_mode(), _autocast(device):  # moved in here, a tower could never be trained again
        for start in tqdm(range(0, len(texts), 4 * BATCH), desc="text features", unit="batch", leave=False):
            block = order[start : start + 4 * BATCH]
            tokens = {name: ids.to(device) for name, ids in bundle.tokens([texts[i] for i in block]).items()}
            features[block] = tower.features(**tokens).float().cpu().numpy()
    return features


def cached_features(
    bundle: CLIPBundle, data: CaptionData, language: str, device: str, captions_per_image: int | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features of a whole set, from the cache if they are there: images (N, 2, F), texts (M, F), owners (M,).

    `captions_per_image`: only the first so many captions of each picture.
    """
    texts, owners = flatten([captions[:captions_per_image] for captions in data.in_language(language)])
    towers, config = bundle.model, bundle.config
    seen_as = str((config.image_size, config.image_mean, config.image_std))
    read_as = str((config.pooling, config.max_tokens))
    image_key = digest(["images", weights_digest(towers.image.backbone), seen_as, data.source, device])
    text_key = digest(["texts", weights_digest(towers.text.backbone), read_as, bundle.vocabulary(), device, *texts])
    images = cached(image_key, lambda: image_features(bundle, data.pictures, device))
    return images, cached(text_key, lambda: text_features(bundle, texts, device)), owners


def _autocast(device: str) -> torch.autocast:
    dtype = pick_dtype(device)
    return torch.autocast(device, dtype, enabled=dtype != torch.float32)
