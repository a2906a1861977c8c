"""One `ImageTextEncoder`: pictures and (Chinese) texts in one space, whichever model stands behind it.

Behind it stand our own bilingual model of `helpers.clip` (the embedded mini model), BertCLIP (`bert_clip`) and
Chinese CLIP (Yang et al. 2022, arXiv:2211.01335); `ImageTextEncoder.from_pretrained` tells them apart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from helpers.chinese_clip.bert_clip import BERT_CLIP, BertCLIPBundle
from helpers.clip import MODEL_TYPE, Bundle, CLIPBundle
from helpers.config import autocast, pick_device, pick_dtype
from helpers.storage import cached, digest, kind_of, model_type


class Backend(Protocol):
    """What a model must offer; embeddings need not be normalised yet."""

    fingerprint: str  # changes when the weights do
    dim: int
    device: str
    logit_scale: float  # the inverse temperature of training: softmax(logit_scale * cosine)

    def embed_images(self, images: Sequence[Image.Image]) -> torch.Tensor: ...  # (B, D)

    def embed_texts(self, texts: Sequence[str]) -> torch.Tensor: ...  # (B, D)


class ImageTextEncoder:
    """Encodes pictures and texts in batches, as unit vectors of one space."""

    def __init__(self, backend: Backend, batch_size: int = 64) -> None:
        self.backend = backend
        self.batch_size = batch_size

    @property
    def fingerprint(self) -> str:
        """Changes when the weights, or the number format, do."""
        return self.backend.fingerprint

    @property
    def dim(self) -> int:
        """Dimensions D of the space."""
        return self.backend.dim

    @classmethod
    def from_pretrained(cls, name: str | Path, device: str = "auto", batch_size: int = 64) -> ImageTextEncoder:
        """Load a model of ours or a Chinese CLIP from a folder or, the latter, by its hub id."""
        device = pick_device(device)
        ours = {MODEL_TYPE: CLIPBundle, BERT_CLIP: BertCLIPBundle}.get(model_type(name))
        if ours:
            return cls.of_bundle(ours.load(name), device, batch_size)
        return cls(ChineseCLIPBackend(name, device, pick_dtype(device)), batch_size)

    @classmethod
    def of_bundle(cls, bundle: Bundle, device: str = "auto", batch_size: int = 64) -> ImageTextEncoder:
        """Encode with a model of ours that is in memory already; it is moved to the device."""
        device = pick_device(device)
        return cls(BundleBackend(bundle, device, pick_dtype(device)), batch_size)

    def encode_images(self, images: Sequence[Image.Image]) -> np.ndarray:
        """RGB pictures of any size -> (N, D) float32, unit norm."""
        return self._encode(images, self.backend.embed_images)

    def encode_texts(self, texts: Sequence[str], cache: bool = False) -> np.ndarray:
        """Texts -> (M, D) float32, unit norm; with `cache` kept on disk for the next call with the same texts."""
        if not cache:
            return self._encode(texts, self.backend.embed_texts)
        key = digest([self.backend.fingerprint, *texts])
        return cached(key, lambda: self._encode(texts, self.backend.embed_texts))

    @torch.inference_mode()
    def _encode(self, items: Sequence, embed) -> np.ndarray:
        if not len(items):
            return np.zeros((0, self.backend.dim), dtype=np.float32)
        embeds = []
        for start in range(0, len(items), self.batch_size):
            block = [items[i] for i in range(start, min(start + self.batch_size, len(items)))]
            embeds.append(embed(block).float().cpu())  # one block of decoded pictures in memory at a time
        embeds = torch.cat(embeds)
        return F.normalize(embeds, dim=-1).numpy()


class BundleBackend:
    """A model of ours: the embedded one, one trained in notebook 01, or a BertCLIP."""

    def __init__(self, bundle: Bundle, device: str, dtype: torch.dtype) -> None:
        self.bundle = bundle
        self.dim = bundle.config.dim
        self.logit_scale = bundle.model.logit_scale.exp().item()
        self.model = bundle.model.eval().to(device, memory_format=torch.channels_last)
        self.device, self.dtype = device, dtype

    @cached_property
    def fingerprint(self) -> str:
        return digest([str(self.dtype), self.bundle.digest()])

    def embed_images(self, images: Sequence[Image.Image]) -> torch.Tensor:
        pixels = self.bundle.pixels(images).to(self.device)
        views = torch.cat([pixels, pixels.flip(-1)])  # a picture and its mirror image: the mean is the steadier one
        with autocast(self.device, self.dtype):
            embeds = self.model.image(views.contiguous(memory_format=torch.channels_last))  # (2B, D)
        return embeds[: len(images)] + embeds[len(images) :]

    def embed_texts(self, texts: Sequence[str]) -> torch.Tensor:
        tokens = {name: ids.to(self.device) for name, ids in self.bundle.tokens(texts).items()}
        with autocast(self.device, self.dtype):
            return self.model.text(**tokens)


class ChineseCLIPBackend:
    """`transformers.ChineseCLIPModel`, e.g. OFA-Sys/chinese-clip-vit-base-patch16."""

    def __init__(self, name: str | Path, device: str, dtype: torch.dtype) -> None:
        from transformers import ChineseCLIPModel, ChineseCLIPProcessor

        kind = kind_of(name)
        if kind != "chinese_clip":  # its weights would be left out, and random ones drawn
            raise ValueError(f"{name}: a {kind}, neither a model of ours nor a Chinese CLIP")
        model = ChineseCLIPModel.from_pretrained(name).eval()
        self.logit_scale = model.logit_scale.float().exp().item()  # before it is rounded to bfloat16
        self.model = model.to(device, dtype)
        self.processor = ChineseCLIPProcessor.from_pretrained(name)
        self.device, self.dtype = device, dtype
        self.dim = self.model.config.projection_dim
        weight = self.model.text_projection.weight.detach().float().cpu().numpy()
        self.fingerprint = digest([str(name), str(dtype), hashlib.sha256(weight.tobytes()).hexdigest()])

    def embed_images(self, images: Sequence[Image.Image]) -> torch.Tensor:
        batch = self.processor(images=[image.convert("RGB") for image in images], return_tensors="pt")
        return projected(self.model.get_image_features(batch["pixel_values"].to(self.device, self.dtype)))

    def embed_texts(self, texts: Sequence[str]) -> torch.Tensor:
        batch = self.processor(
            text=list(texts),
            padding=True,
            truncation=True,
            max_length=52,
            return_tensors="pt",  # 52 as in training
        ).to(self.device)
        return projected(self.model.get_text_features(**batch))


def projected(features: torch.Tensor | object) -> torch.Tensor:
    """The projected embeddings (B, D): a tensor in transformers 4, the `pooler_output` of an output object in 5."""
    return features if torch.is_tensor(features) else features.pooler_output
