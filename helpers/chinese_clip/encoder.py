"""One `ImageTextEncoder`: pictures and (Chinese) texts in one space, whichever model stands behind it.

Behind it stand our own models, `CustomCLIP` and `BertCLIP`, and Chinese CLIP (Yang et al. 2022, arXiv:2211.01335).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from transformers import ChineseCLIPModel, ChineseCLIPProcessor, PreTrainedModel, ProcessorMixin

from helpers.clip import in_batches, is_custom_clip, load_clip, tokenizer_json
from helpers.config import BATCH_SIZE, autocast, pick_device, pick_dtype
from helpers.storage import cached, digest, kind_of, network_of, weights_digest

MAX_LENGTH = 52  # tokens of a text, as Chinese CLIP was trained


class ImageTextEncoder:
    """Encodes pictures and texts in batches, as unit vectors of one space."""

    def __init__(
        self,
        model: PreTrainedModel,
        processor: ProcessorMixin,
        device: str = "auto",
        dtype: torch.dtype | None = None,
        batch_size: int = BATCH_SIZE,
    ) -> None:
        """`model` is moved to the device and used there, its heavy layers in `dtype` (default: see `pick_dtype`)."""
        self.device = pick_device(device)
        self.dtype = dtype or pick_dtype(self.device)
        self.model = model.eval().to(self.device, memory_format=torch.channels_last)
        self.processor = processor
        self.batch_size = batch_size

    @classmethod
    def from_pretrained(
        cls, name: str | Path, device: str = "auto", *, local_files_only: bool = False, **options: object
    ) -> ImageTextEncoder:
        """Load a model of ours or a Chinese CLIP from a folder or, the latter, by its hub id.

        `local_files_only`: without a request to the hub. `options` are further arguments of `ImageTextEncoder`. Raises
        ValueError for any other model.
        """
        encoder = cls(*load_image_text_model(name, local_files_only), device, **options)
        cast_weights(encoder.model, encoder.dtype)  # nobody else holds this model, so nobody will train it
        return encoder

    @property
    def dim(self) -> int:
        """D of the shared space."""
        return self.model.config.projection_dim

    @property
    def logit_scale(self) -> float:
        """The inverse temperature of training: softmax(logit_scale * cosine)."""
        return self.model.logit_scale.exp().item()

    @cached_property
    def fingerprint(self) -> str:
        """A key that changes when anything does on which an embedding depends."""
        settings = [network_of(self.model), self.processor.to_json_string(), str(self.dtype)]
        return digest([weights_digest(self.model), tokenizer_json(self.processor.tokenizer), *settings])

    def encode_images(self, images: Sequence[Image.Image]) -> np.ndarray:
        """RGB pictures of any size -> (N, D) float32, unit norm."""
        return self._encode(images, self._embed_images)

    def encode_texts(self, texts: Sequence[str], cache: bool = False) -> np.ndarray:
        """Texts -> (M, D) float32, unit norm; with `cache` kept on disk for the next call with the same texts."""
        if not cache:
            return self._encode(texts, self._embed_texts)
        return cached(digest([self.fingerprint, *texts]), lambda: self._encode(texts, self._embed_texts))

    def _encode(self, items: Sequence, embed: Callable[[Sequence], torch.Tensor]) -> np.ndarray:
        if not len(items):
            return np.zeros((0, self.dim), dtype=np.float32)
        with autocast(self.device, self.dtype):
            return in_batches(embed, items, self.batch_size)

    def _embed_images(self, images: Sequence[Image.Image]) -> torch.Tensor:
        """Pictures of any size -> (B, D), not yet normalised."""
        batch = self.processor(images=[image.convert("RGB") for image in images], return_tensors="pt")
        return projected(self.model.get_image_features(batch["pixel_values"].to(self.device)))

    def _embed_texts(self, texts: Sequence[str]) -> torch.Tensor:
        """Texts -> (B, D), not yet normalised."""
        length = getattr(self.processor, "max_length", MAX_LENGTH)
        batch = self.processor(text=list(texts), padding=True, truncation=True, max_length=length, return_tensors="pt")
        return projected(self.model.get_text_features(**batch.to(self.device)))


def cast_weights(model: nn.Module, dtype: torch.dtype) -> None:
    """Keep the weights of the heavy layers, in place, as autocast would cast them anew in every call.

    The results are the same to the bit, for a single picture a quarter sooner.
    """
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            module.to(dtype)


def load_image_text_model(name: str | Path, local_files_only: bool = False) -> tuple[PreTrainedModel, ProcessorMixin]:
    """A model of ours or a Chinese CLIP, and its processor; ValueError for any other."""
    if is_custom_clip(name):
        return load_clip(name)
    kind = kind_of(name, local_files_only)
    if kind != "chinese_clip":  # its weights would be left out, and random ones drawn
        raise ValueError(f"{name}: a {kind}, neither a model of ours nor a Chinese CLIP")
    options = {"local_files_only": local_files_only}
    model = ChineseCLIPModel.from_pretrained(name, dtype=torch.float32, **options)  # some are stored in float16
    return model, ChineseCLIPProcessor.from_pretrained(name, **options)


def projected(features: torch.Tensor | object) -> torch.Tensor:
    """The projected embeddings (B, D): a tensor in transformers 4, the `pooler_output` of an output object in 5."""
    return features if torch.is_tensor(features) else features.pooler_output
