"""A CLIP with all that belongs to it (tokenizer, picture size, normalisation), in memory and as a folder.

A folder holds config.json, model.safetensors or model.int8.safetensors, and the tokenizer's files: what training
writes, what `ImageTextEncoder.from_pretrained` reads, and how the embedded model is stored.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from transformers import (
    AutoConfig,
    AutoTokenizer,
    DistilBertConfig,
    DistilBertModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from helpers.clip.bundle import Bundle
from helpers.clip.model import build_clip
from helpers.data import squash
from helpers.storage import CONFIG, INT8_WEIGHTS, load_weights, model_type, save_quantized, whole_file

WEIGHTS = "model.safetensors"
MODEL_TYPE = "custom_clip"
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # what the ResNet34 weights expect


@dataclass(frozen=True)
class CLIPConfig:
    """What is needed besides the weights to build a `CustomCLIP` and to feed it."""

    text_config: dict
    dim: int = 512
    pooling: str = "mean"  # a name of helpers.clip.model.POOLING
    dropout: float = 0.1  # of the projection heads, in training
    image_size: int = 128  # pixels: the side of the square that pictures are squashed to
    image_mean: Sequence[float] = IMAGENET_MEAN
    image_std: Sequence[float] = IMAGENET_STD
    max_tokens: int = 40


class CLIPBundle(Bundle):
    """A ResNet34 and a DistilBERT in one space; `config` is a `CLIPConfig`."""

    @classmethod
    def load(cls, folder: str | Path, **changes: object) -> CLIPBundle:
        """Read a folder, with some fields of its `CLIPConfig` changed; ValueError if it holds no model of ours."""
        folder = Path(folder)
        if not is_bundle(folder):
            raise ValueError(f"{folder}: no CLIP of ours in this folder (its {CONFIG} should say {MODEL_TYPE!r})")
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        try:
            config = CLIPConfig(**{key: value for key, value in (config | changes).items() if key != "model_type"})
            model = build_clip(config.text_config, config.dim, config.pooling, config.dropout)
        except (TypeError, KeyError) as error:
            raise ValueError(f"{folder / CONFIG}: this describes no CLIP of ours ({error})") from error
        weights = folder / INT8_WEIGHTS if (folder / INT8_WEIGHTS).is_file() else folder / WEIGHTS
        load_weights(model, weights)
        return cls(model.eval(), load_tokenizer(folder), config)

    @classmethod
    def from_backbones(cls, image_weights: str | Path, text_model: str | Path, **changes: object) -> CLIPBundle:
        """Pretrained backbones under new, untrained heads.

        Args:
            image_weights: "imagenet" (torchvision's own, downloaded), a .safetensors file with torchvision's ResNet34
                keys, or a folder of ours.
            text_model: a DistilBERT by hub id or folder, or a folder of ours.
            changes: fields of `CLIPConfig` other than `text_config`.
        """
        text_backbone = load_text_backbone(text_model)
        config = CLIPConfig(text_config=essential(text_backbone.config), **changes)
        model = build_clip(config.text_config, config.dim, config.pooling, config.dropout)
        model.text.backbone.load_state_dict(text_backbone.state_dict())
        try:
            model.image.backbone.load_state_dict(load_image_backbone(image_weights))
        except RuntimeError as error:  # hundreds of lines, one a weight
            raise ValueError(f"{image_weights}: not the weights of a ResNet34") from error
        return cls(model.eval(), load_tokenizer(text_model), config)

    def save(self, folder: str | Path, quantized: bool = False) -> None:
        """Write the folder that `load` reads, made if need be; `quantized` to eight bits, a quarter of the size."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        state = {name: tensor.contiguous() for name, tensor in self.model.state_dict().items()}
        name, other = (INT8_WEIGHTS, WEIGHTS) if quantized else (WEIGHTS, INT8_WEIGHTS)
        with whole_file(folder / name) as unfinished:
            if quantized:
                save_quantized(state, unfinished)
            else:
                save_file(state, unfinished, metadata={"format": "pt"})
        (folder / other).unlink(missing_ok=True)  # a folder holds one model
        self.tokenizer.save_pretrained(folder)
        config = {"model_type": MODEL_TYPE, **asdict(self.config)}
        (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")

    def pixels(self, images: Sequence[Image.Image]) -> torch.Tensor:
        """Pictures of any size -> normalised pixels (B, 3, S, S), channels last in memory."""
        return self.normalise(square_bytes(images, self.config.image_size))

    def preparation(self) -> str:
        return json.dumps([self.config.image_size, self.config.image_mean, self.config.image_std])

    def normalise(self, pixels: torch.Tensor) -> torch.Tensor:
        """Bytes (B, 3, S, S) -> floats of about zero mean and unit variance."""
        return normalised(pixels, self.config.image_mean, self.config.image_std)


def is_bundle(name: str | Path) -> bool:
    """Whether `name` is a folder that `CLIPBundle.load` reads."""
    return model_type(name) == MODEL_TYPE


def load_tokenizer(name: str | Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a hub id or folder; for a folder of ours without asking `transformers` what model it is."""
    return (PreTrainedTokenizerFast if is_bundle(name) else AutoTokenizer).from_pretrained(name)


def load_text_backbone(name: str | Path) -> DistilBertModel:
    """A DistilBERT by hub id or folder, or the one inside a folder of ours."""
    if is_bundle(name):
        return CLIPBundle.load(name).model.text.backbone
    kind = AutoConfig.from_pretrained(name).model_type
    if kind != "distilbert":  # its weights would be left out, and random ones drawn
        raise ValueError(f"{name}: a {kind}, not a DistilBERT")
    return DistilBertModel.from_pretrained(name)


def load_image_backbone(name: str | Path) -> dict[str, torch.Tensor]:
    """The weights of a ResNet34 without its classifier, by torchvision's keys; see `CLIPBundle.from_backbones`."""
    if is_bundle(name):
        return CLIPBundle.load(name).model.image.backbone.state_dict()
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


def essential(config: DistilBertConfig) -> dict:
    """What of a DistilBERT's configuration shapes the network."""
    names = ("vocab_size", "dim", "n_layers", "n_heads", "hidden_dim", "max_position_embeddings", "activation")
    return {name: getattr(config, name) for name in names}


def square_bytes(images: Sequence[Image.Image], size: int) -> torch.Tensor:
    """Pictures of any size, squashed -> bytes (B, 3, S, S)."""
    arrays = np.stack([np.asarray(squash(image, size)) for image in images])  # (B, S, S, 3)
    return torch.from_numpy(arrays).permute(0, 3, 1, 2)


def normalised(
    pixels: torch.Tensor, mean: Sequence[float] = IMAGENET_MEAN, std: Sequence[float] = IMAGENET_STD
) -> torch.Tensor:
    """Bytes (B, 3, S, S) -> floats of about zero mean and unit variance, channels last in memory."""
    mean, std = (torch.tensor(channel).view(3, 1, 1) for channel in (mean, std))
    return ((pixels / 255 - mean) / std).contiguous(memory_format=torch.channels_last)
