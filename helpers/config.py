"""The two profiles, the device and the number format. Nothing else knows profiles."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

REPOSITORY = "https://github.com/image-to-poem/image-to-poem"  # not public yet
ASSETS = Path(__file__).parent / "assets"
BATCH_SIZE = 64  # pictures that are encoded at a time, where nobody says otherwise
MODELS = Path(__file__).parent.parent / "models"  # folder of the models that the reader trains in 03 and 05


@dataclass(frozen=True)
class Config:
    """Models to load (a hub id or a folder each), and settings of the pipeline that uses them."""

    image_text_model: str
    poem_model: str
    poem_reader: str  # the second reader, which says how well the lines of a poem go together
    captioner: str  # says in a sentence what a picture shows, from the embeddings of `image_text_model`
    verse_prefix: str  # lets the poem model see the picture, from the embeddings of `image_text_model`
    judge: str  # the image-text model that scores poems it did not choose
    captions: str  # the set that notebook 01 trains its CLIP on; then its backbones
    image_backbone: str
    text_backbone: str
    image_size: int  # pixels
    locked_image_tower: str  # the towers of notebook 02's BertCLIP: this one,
    chinese_bert: str  # and this one; "new" for one without any training
    poem_base: str  # the T5 that notebook 03 makes a poem model of
    poems: str  # the folder of poems for that, in splits
    caption_decoder: str  # the GPT-2 of notebook 05; "new" for a small untrained one
    offline: bool = False  # take models of the hub from its cache alone, without a request
    keywords: int = 4  # words of the picture that go into the poem; CCPC has four a poem too
    seed: int = 0
    device: str = "auto"


PROFILES = {
    "mini": Config(
        image_text_model=str(ASSETS / "image_text"),
        poem_model=str(ASSETS / "poem_t5"),
        poem_reader=str(ASSETS / "poem_reader"),
        captioner=str(ASSETS / "captioner"),
        verse_prefix=str(ASSETS / "verse_prefix"),
        judge=str(ASSETS / "judge"),
        captions="drawn",
        image_backbone=str(ASSETS / "backbones"),
        text_backbone=str(ASSETS / "backbones"),
        image_size=128,
        locked_image_tower=str(ASSETS / "backbones"),
        chinese_bert="new",
        poem_base=str(ASSETS / "poem_base"),
        poems=str(ASSETS / "poems"),
        caption_decoder="new",
        offline=True,
    ),
    "full": Config(
        image_text_model="OFA-Sys/chinese-clip-vit-base-patch16",
        poem_model=str(MODELS / "mengzi-t5-poem"),
        poem_reader=str(ASSETS / "poem_reader"),
        captioner=str(MODELS / "clipcap"),
        verse_prefix=str(MODELS / "verse_prefix"),
        judge="OFA-Sys/chinese-clip-vit-large-patch14",
        captions="lmms-lab/flickr30k",
        image_backbone="imagenet",
        text_backbone="distilbert/distilbert-base-multilingual-cased",
        image_size=224,
        locked_image_tower="openai/clip-vit-base-patch16",
        chinese_bert="hfl/chinese-roberta-wwm-ext",
        poem_base="Langboat/mengzi-t5-base",
        poems="data/ccpc",
        caption_decoder="uer/gpt2-chinese-cluecorpussmall",
    ),
}


def load_config(profile: str = "mini", **changes: object) -> Config:
    """The profile's `Config` with some fields changed; ValueError for an unknown profile."""
    if profile not in PROFILES:
        raise ValueError(f"unknown profile {profile!r}: choose one of {', '.join(PROFILES)}")
    return replace(PROFILES[profile], **changes)


def pick_device(device: str = "auto") -> str:
    """ "cuda", "mps" or "cpu": the best there is, unless `device` names one."""
    import torch

    if device != "auto":
        return device
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def pick_dtype(device: str) -> torch.dtype:
    """The number format for the heavy layers: bfloat16 where the hardware multiplies it, else float16 or float32."""
    import torch

    if device == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    avx512 = device == "cpu" and torch.backends.cpu.get_cpu_capability() == "AVX512"
    if avx512 and torch.cpu.get_capabilities().get("avx512_bf16"):
        return torch.bfloat16  # with channels_last three to five times faster than float32
    return torch.float32


def autocast(device: str, dtype: torch.dtype | None = None) -> torch.autocast:
    """A context in which heavy layers run in a smaller number format, by default in that of `pick_dtype`."""
    import torch

    dtype = dtype or pick_dtype(device)
    return torch.autocast(device, dtype, enabled=dtype != torch.float32)


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch (all devices)."""
    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
