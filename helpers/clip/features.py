"""Features of pictures and texts from frozen backbones, computed once: projection heads train on them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F
from tqdm import tqdm

from helpers.clip.model import CustomCLIP
from helpers.clip.processor import ImageTextProcessor, tokenizer_json
from helpers.config import BATCH_SIZE, autocast, pick_dtype
from helpers.data import CaptionData, LazyPictures, flatten
from helpers.storage import cached, digest, network_of, weights_digest

BLOCK = 1000  # pictures whose features make one file of the cache


def image_features(
    model: CustomCLIP,
    processor: ImageTextProcessor,
    pictures: Sequence[Image.Image],
    device: str,
    batch_size: int = BATCH_SIZE,
) -> np.ndarray:
    """Pictures and their mirror images through the frozen backbone: (N, 2, F) float32."""
    tower = model.image.eval().to(device, memory_format=torch.channels_last)
    blocks = []
    # the tower was moved above: moved in inference mode, it could never be trained again
    with ThreadPoolExecutor(os.cpu_count()) as pool, torch.inference_mode(), autocast(device):
        for start in tqdm(range(0, len(pictures), batch_size), desc="pictures", unit="batch", leave=False):
            numbers = range(start, min(start + batch_size, len(pictures)))
            seen = list(pool.map(pictures.__getitem__, numbers))  # decoded in threads
            pixels = processor.pixel_values(seen).to(device)
            views = [tower.features(pixels), tower.features(pixels.flip(-1))]  # (B, F) each
            blocks.append(torch.stack(views, dim=1).float().cpu())  # (B, 2, F)
    return torch.cat(blocks).numpy()


def text_features(
    model: CustomCLIP,
    processor: ImageTextProcessor,
    texts: Sequence[str],
    device: str,
    batch_size: int = 4 * BATCH_SIZE,
) -> np.ndarray:
    """Texts through the frozen backbone, pooled: (M, F) float32.

    Texts of like length share a batch, so that little is spent on padding.
    """
    tower = model.text.eval().to(device)
    order = np.argsort([len(text) for text in texts], kind="stable")
    features = np.empty((len(texts), tower.backbone.config.hidden_size), dtype=np.float32)
    with torch.inference_mode(), autocast(device):  # moved in here, a tower could never be trained again
        for start in tqdm(range(0, len(texts), batch_size), desc="text features", unit="batch", leave=False):
            block = order[start : start + batch_size]
            tokens = {name: ids.to(device) for name, ids in processor.tokens([texts[i] for i in block]).items()}
            features[block] = tower.features(**tokens).float().cpu().numpy()
    return features


def embed_pairs(
    model: CustomCLIP,
    processor: ImageTextProcessor,
    pictures: Sequence[Image.Image],
    texts: Sequence[str],
    device: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Pictures and texts through the whole model: (N, D) and (M, D) float32, unit norm."""
    model = model.to(device, memory_format=torch.channels_last)

    def embed_images(block: Sequence[Image.Image]) -> torch.Tensor:
        return model.get_image_features(processor.pixel_values(block).to(device))

    def embed_texts(block: Sequence[str]) -> torch.Tensor:
        tokens = processor.tokens(block)
        return model.get_text_features(**{name: ids.to(device) for name, ids in tokens.items()})

    with autocast(device):
        return in_batches(embed_images, pictures), in_batches(embed_texts, texts)


@torch.inference_mode()
def in_batches(embed: Callable[[Sequence], torch.Tensor], items: Sequence, batch_size: int = BATCH_SIZE) -> np.ndarray:
    """N >= 1 items through `embed`, a batch at a time: (N, D) float32, unit norm."""
    embeds = []
    for start in range(0, len(items), batch_size):
        block = [items[i] for i in range(start, min(start + batch_size, len(items)))]
        embeds.append(embed(block).float().cpu())  # one block of decoded pictures in memory at a time
    return F.normalize(torch.cat(embeds), dim=-1).numpy()


def cached_image_features(
    model: CustomCLIP, processor: ImageTextProcessor, data: CaptionData, device: str, block: int = BLOCK
) -> np.ndarray:
    """Image features of a whole set (N, 2, F), from the cache as far as they are there.

    Stored by the thousand: a run that was killed goes on with the next thousand.
    """
    backbone = model.image.backbone
    network = [weights_digest(backbone), model.config.vision_config.to_json_string(), str(model.config.locked)]
    computed_as = str((device, pick_dtype(device), block))
    key = digest(["images", *network, processor.preparation(), data.source, computed_as])
    compute = partial(image_features, model, processor, device=device)
    return in_cached_blocks(key, compute, data.pictures, block)


def in_cached_blocks(
    key: str, compute: Callable[[Sequence], np.ndarray], pictures: Sequence[Image.Image], block: int = BLOCK
) -> np.ndarray:
    """`compute` of all pictures (N, ...), block by block, each from the cache if it is there."""
    blocks = []
    for start in tqdm(range(0, len(pictures), block), desc="image features", unit="thousand", leave=False):
        part = LazyPictures(min(block, len(pictures) - start), lambda i, start=start: pictures[start + i])
        blocks.append(cached(f"{key}_{start}", partial(compute, part)))
    return np.concatenate(blocks)


def cached_text_features(
    model: CustomCLIP, processor: ImageTextProcessor, texts: Sequence[str], device: str
) -> np.ndarray:
    """Text features (M, F), from the cache if they are there."""
    backbone = model.text.backbone
    read_as = str((model.config.pooling, processor.max_length, pick_dtype(device)))
    network = [weights_digest(backbone), network_of(backbone)]
    key = digest(["texts", *network, tokenizer_json(processor.tokenizer), read_as, device, *texts])
    return cached(key, partial(text_features, model, processor, texts, device))


def cached_features(
    model: CustomCLIP,
    processor: ImageTextProcessor,
    data: CaptionData,
    language: str,
    device: str,
    captions_per_image: int | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features of a whole set, from the cache if they are there: images (N, 2, F), texts (M, F), owners (M,).

    `captions_per_image`: only the first so many captions of each picture.
    """
    texts, owners = flatten([captions[:captions_per_image] for captions in data.in_language(language)])
    images = cached_image_features(model, processor, data, device)
    return images, cached_text_features(model, processor, texts, device), owners
