"""What frozen backbones make of pictures and texts, computed once: the features that projection heads train on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from helpers.clip.bundle import Bundle
from helpers.config import autocast, pick_dtype
from helpers.data import CaptionData, LazyPictures, flatten
from helpers.storage import cached, digest, network_of, weights_digest

BATCH = 64
BLOCK = 1000  # pictures whose features make one file of the cache


def image_features(bundle: Bundle, pictures: Sequence[Image.Image], device: str) -> np.ndarray:
    """Pictures and their mirror images through the frozen backbone: (N, 2, F) float32."""
    backbone = bundle.model.image.backbone.eval().to(device, memory_format=torch.channels_last)
    blocks = []
    # the backbone was moved above: moved in inference mode, it could never be trained again
    with ThreadPoolExecutor(os.cpu_count()) as pool, torch.inference_mode(), autocast(device):
        for start in tqdm(range(0, len(pictures), BATCH), desc="pictures", unit="batch", leave=False):
            seen = pool.map(pictures.__getitem__, range(start, min(start + BATCH, len(pictures))))  # decoded in threads
            pixels = bundle.pixels(list(seen)).to(device)
            blocks.append(torch.stack([backbone(pixels), backbone(pixels.flip(-1))], dim=1).float().cpu())  # (B, 2, F)
    return torch.cat(blocks).numpy()


def text_features(bundle: Bundle, texts: Sequence[str], device: str) -> np.ndarray:
    """Texts through the frozen backbone, pooled: (M, F) float32.

    Texts of like length share a batch, so that little is spent on padding.
    """
    tower = bundle.model.text.eval().to(device)
    order = np.argsort([len(text) for text in texts], kind="stable")
    features = np.empty((len(texts), tower.backbone.config.hidden_size), dtype=np.float32)
    with torch.inference_mode(), autocast(device):  # moved in here, a tower could never be trained again
        for start in tqdm(range(0, len(texts), 4 * BATCH), desc="text features", unit="batch", leave=False):
            block = order[start : start + 4 * BATCH]
            tokens = {name: ids.to(device) for name, ids in bundle.tokens([texts[i] for i in block]).items()}
            features[block] = tower.features(**tokens).float().cpu().numpy()
    return features


def cached_image_features(bundle: Bundle, data: CaptionData, device: str) -> np.ndarray:
    """Image features of a whole set (N, 2, F), from the cache as far as they are there.

    Stored by the thousand: a run that was killed goes on with the next thousand.
    """
    backbone = bundle.model.image.backbone
    computed_as = str((device, pick_dtype(device), BLOCK))
    key = digest(["images", weights_digest(backbone), bundle.preparation(), data.source, computed_as])
    blocks = []
    for start in tqdm(range(0, len(data), BLOCK), desc="image features", unit="thousand", leave=False):
        pictures = LazyPictures(min(BLOCK, len(data) - start), lambda i, start=start: data.pictures[start + i])
        blocks.append(cached(f"{key}_{start}", lambda pictures=pictures: image_features(bundle, pictures, device)))
    return np.concatenate(blocks)


def cached_text_features(bundle: Bundle, texts: Sequence[str], device: str) -> np.ndarray:
    """Text features (M, F), from the cache if they are there."""
    backbone = bundle.model.text.backbone
    read_as = [bundle.vocabulary(), str((bundle.config.pooling, bundle.config.max_tokens, pick_dtype(device)))]
    key = digest(["texts", weights_digest(backbone), network_of(backbone), *read_as, device, *texts])
    return cached(key, lambda: text_features(bundle, texts, device))


def cached_features(
    bundle: Bundle, data: CaptionData, language: str, device: str, captions_per_image: int | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features of a whole set, from the cache if they are there: images (N, 2, F), texts (M, F), owners (M,).

    `captions_per_image`: only the first so many captions of each picture.
    """
    texts, owners = flatten([captions[:captions_per_image] for captions in data.in_language(language)])
    return cached_image_features(bundle, data, device), cached_text_features(bundle, texts, device), owners
