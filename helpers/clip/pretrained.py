"""Pretrained backbones under new heads, and a CLIP of ours with its processor as a folder."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import AutoModel, AutoProcessor, AutoTokenizer, DistilBertModel
from transformers.tokenization_utils_base import FULL_TOKENIZER_FILE

from helpers.clip.configuration import CustomCLIPConfig, TorchvisionConfig
from helpers.clip.model import CustomCLIP
from helpers.clip.processor import ImageTextProcessor, SquashImageProcessor
from helpers.storage import kind_of, model_type


def from_backbones(
    image_weights: str | Path, text_model: str | Path, image_size: int = 128, max_length: int = 40, **changes: object
) -> tuple[CustomCLIP, ImageTextProcessor]:
    """ResNet34 and DistilBERT with pretrained weights under new, untrained heads.

    Args:
        image_weights: "imagenet" (torchvision's own, downloaded), a .safetensors file with torchvision's ResNet34
            keys, or a folder of ours.
        text_model: a DistilBERT by hub id or folder, or a folder of ours.
        image_size: side of the square picture, in pixels.
        max_length: tokens of a text.
        changes: further fields of `CustomCLIPConfig`.

    Raises:
        ValueError: one of the two is something else.
    """
    text_backbone = load_text_backbone(text_model)
    model = CustomCLIP(CustomCLIPConfig(TorchvisionConfig(), text_backbone.config, **changes))
    model.text.backbone.load_state_dict(text_backbone.state_dict())
    try:
        model.image.backbone.load_state_dict(load_image_backbone(image_weights))
    except RuntimeError as error:  # hundreds of lines, one a weight
        raise ValueError(f"{image_weights}: not the weights of a ResNet34") from error
    tokenizer = AutoTokenizer.from_pretrained(text_model)
    return model.eval(), ImageTextProcessor(SquashImageProcessor(image_size), tokenizer, max_length)


def load_clip(
    folder: str | Path, image_size: int | None = None, **changes: object
) -> tuple[CustomCLIP, ImageTextProcessor]:
    """A model of ours and its processor, with pictures of another side (pixels) and other fields of its configuration.

    Raises ValueError if there is none in the folder, or a damaged one.
    """
    if not is_custom_clip(folder):
        raise ValueError(f"{folder}: no CLIP of ours in this folder")
    if not (Path(folder) / FULL_TOKENIZER_FILE).is_file():  # transformers would make one without words
        raise ValueError(f"{folder}: not complete, there is no {FULL_TOKENIZER_FILE}")
    try:
        model, processor = AutoModel.from_pretrained(folder, **changes), AutoProcessor.from_pretrained(folder)
    except (OSError, ValueError) as error:
        message = " ".join(str(error).split())
        raise ValueError(message if str(folder) in message else f"{folder}: damaged ({message})") from error
    if image_size:
        if model.config.locked:
            raise ValueError(f"{folder}: a locked tower takes pictures of one size")
        processor.image_processor.size = image_size
    return model, processor


def is_custom_clip(name: str | Path) -> bool:
    """True if `name` is a folder that `load_clip` reads."""
    return model_type(name) == CustomCLIPConfig.model_type


def save_clip(model: CustomCLIP, processor: ImageTextProcessor, folder: str | Path, quantized: bool = False) -> None:
    """Write the folder that `load_clip` and transformers' Auto classes read, made if need be."""
    processor.save_pretrained(folder)
    model.save_pretrained(folder, quantized=quantized)


def load_text_backbone(name: str | Path) -> DistilBertModel:
    """A DistilBERT by hub id or folder, or the one inside a folder of ours."""
    if is_custom_clip(name):
        return load_clip(name)[0].text.backbone
    kind = kind_of(name)
    if kind != "distilbert":  # its weights would be left out, and random ones drawn
        raise ValueError(f"{name}: a {kind}, not a DistilBERT")
    return DistilBertModel.from_pretrained(name)


def load_image_backbone(name: str | Path) -> dict[str, torch.Tensor]:
    """The weights of a ResNet34 without its classifier, by torchvision's keys; see `from_backbones`."""
    if is_custom_clip(name):
        return load_clip(name)[0].image.backbone.state_dict()
    if str(name) == "imagenet":
        from torchvision.models import ResNet34_Weights

        state = ResNet34_Weights.IMAGENET1K_V1.get_state_dict(check_hash=True, weights_only=True)
    elif Path(name).is_file():
        try:
            state = load_file(name)
        except SafetensorError as error:
            raise ValueError(f"{name}: not a safetensors file") from error
    else:
        raise ValueError(f"{name}: neither 'imagenet' nor a .safetensors file nor a folder with a CLIP of ours")
    return {key: value for key, value in state.items() if not key.startswith("fc.")}
