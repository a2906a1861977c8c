"""From pictures and texts to tensors: what a CLIP of ours is fed with, saved beside its weights."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageFilter
from transformers import (
    AutoImageProcessor,
    AutoProcessor,
    BatchFeature,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    ProcessorMixin,
)
from transformers.image_processing_utils import BaseImageProcessor

from helpers.clip.configuration import CustomCLIPConfig, ImageTowerConfig, TorchvisionConfig
from helpers.data import squash

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # the ResNet34's weights expect these


class SquashImageProcessor(BaseImageProcessor):
    """Squashes the whole picture to a square of `size` pixels: shapes suffer a little, nothing at the edge is lost.

    `blur`: radius in pixels of a Gaussian that then takes away what is finer than a compressed copy would keep.
    """

    model_input_names = ["pixel_values"]

    def __init__(
        self,
        size: int = 128,
        image_mean: Sequence[float] = IMAGENET_MEAN,
        image_std: Sequence[float] = IMAGENET_STD,
        blur: float = 0.0,
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self.size, self.image_mean, self.image_std, self.blur = size, list(image_mean), list(image_std), blur

    def preprocess(self, images: Sequence[Image.Image], **kwargs: object) -> BatchFeature:
        """Pictures of any size -> pixel_values (B, 3, S, S), channels last in memory."""
        images = [images] if isinstance(images, Image.Image) else images
        return BatchFeature({"pixel_values": self.normalise([squash(image, self.size) for image in images])})

    def normalise(self, squares: Sequence[Image.Image]) -> torch.Tensor:
        """B pictures of S x S pixels -> softened floats of about zero mean and unit variance, (B, 3, S, S)."""
        softened = ImageFilter.GaussianBlur(self.blur)  # of radius 0 it leaves the picture as it is
        arrays = np.stack([np.asarray(square.filter(softened)) for square in squares])  # (B, S, S, 3)
        mean, std = (torch.tensor(channel).view(3, 1, 1) for channel in (self.image_mean, self.image_std))
        pixels = torch.from_numpy(arrays).permute(0, 3, 1, 2)
        return ((pixels / 255 - mean) / std).contiguous(memory_format=torch.channels_last)


class ImageTextProcessor(ProcessorMixin):
    """An image processor and a tokenizer; texts are cut at `max_length` tokens."""

    def __init__(
        self,
        image_processor: BaseImageProcessor | None = None,
        tokenizer: PreTrainedTokenizerBase | None = None,
        max_length: int = 40,
        **kwargs: object,
    ) -> None:
        super().__init__(image_processor, tokenizer)
        self.max_length = max_length

    def __call__(
        self, images: Sequence[Image.Image] | None = None, text: Sequence[str] | None = None, **kwargs: object
    ) -> BatchFeature:
        """Pictures of any size -> pixel_values (B, 3, S, S); texts -> input_ids and attention_mask, (B, T) each."""
        batch: dict[str, torch.Tensor] = {}
        if images is not None:
            batch["pixel_values"] = self.pixel_values(images)
        if text is not None:
            batch |= self.tokens([text] if isinstance(text, str) else text)
        return BatchFeature(batch)

    def pixel_values(self, images: Sequence[Image.Image]) -> torch.Tensor:
        """Pictures of any size -> normalised pixels (B, 3, S, S)."""
        images = [images] if isinstance(images, Image.Image) else images
        return self.image_processor([image.convert("RGB") for image in images], return_tensors="pt")["pixel_values"]

    def tokens(self, texts: Sequence[str]) -> dict[str, torch.Tensor]:
        """Texts -> input_ids and attention_mask, (B, T) each, padded to the longest."""
        something = self.tokenizer.unk_token or self.tokenizer.pad_token
        texts = [text if text.strip() else something for text in texts]  # never a row without tokens
        batch = self.tokenizer(texts, padding=True, truncation=True, max_length=self.max_length, return_tensors="pt")
        return {"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"]}

    def preparation(self) -> str:
        """The preparation of pictures, as text: features are the same only if it is."""
        return self.image_processor.to_json_string()


def tokenizer_json(tokenizer: PreTrainedTokenizerBase) -> str:
    """A tokenizer as text, without the truncation and padding that its last call happened to leave in it."""
    content = json.loads(tokenizer.backend_tokenizer.to_str())
    return json.dumps({**content, "truncation": None, "padding": None}, sort_keys=True)


def bilingual_tokenizer(
    texts: Sequence[str], vocab_size: int = 8000, min_frequency: int = 2
) -> PreTrainedTokenizerFast:
    """A word-piece tokenizer learnt from `texts`: single Han characters, and pieces of lower-cased English words."""
    from tokenizers import BertWordPieceTokenizer

    learner = BertWordPieceTokenizer(lowercase=True, handle_chinese_chars=True)
    learner.train_from_iterator(texts, vocab_size, min_frequency, limit_alphabet=vocab_size, show_progress=False)
    return PreTrainedTokenizerFast(
        tokenizer_object=learner._tokenizer, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]",
        sep_token="[SEP]", mask_token="[MASK]",
    )  # fmt: skip


for config_class in (TorchvisionConfig, ImageTowerConfig, CustomCLIPConfig):
    AutoImageProcessor.register(
        config_class,
        slow_image_processor_class=SquashImageProcessor,
        fast_image_processor_class=SquashImageProcessor,
    )
AutoProcessor.register(CustomCLIPConfig, ImageTextProcessor)
