"""The locked image tower of LiT: somebody else's trained network, used as it is and never changed.

LiT: Zhai et al. 2022, "LiT: Zero-Shot Transfer with Locked-image text Tuning" (arXiv:2111.07991), section 3.
Places365: Zhou et al. 2018, "Places: A 10 Million Image Database for Scene Recognition" (TPAMI 40).
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F
from torchvision.models import ResNet, resnet18

from helpers.clip import MODEL_TYPE, CLIPBundle, ProjectionHead, normalised, square_bytes
from helpers.storage import CONFIG, INT8_WEIGHTS, kind_of, load_weights, model_type, network_of, save_quantized

if TYPE_CHECKING:
    from transformers import PreTrainedModel

PLACES365 = "places365_wideresnet18"
PLACES365_SIZE = 224  # pixels


class ImageBackbone(nn.Module, ABC):
    """A trained image tower, frozen for good, with its own way of preparing pictures."""

    def __init__(self, tower: nn.Module) -> None:
        super().__init__()
        self.tower = tower.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> ImageBackbone:
        """Stays in evaluation mode: a locked tower has no dropout, and its BatchNorm learns nothing either."""
        return super().train(False)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Pixels (B, 3, S, S) as `pixels` makes them -> features (B, F) of unit length, whatever tower it is."""
        return F.normalize(self.embed(pixels).flatten(1), dim=-1)

    @torch.inference_mode()
    def width(self) -> int:
        """F, by looking at one grey picture."""
        return self(self.pixels([Image.new("RGB", (64, 64), "grey")])).shape[1]

    @abstractmethod
    def pixels(self, images: Sequence[Image.Image]) -> torch.Tensor:
        """Pictures of any size -> normalised pixels (B, 3, S, S)."""

    @abstractmethod
    def embed(self, pixels: torch.Tensor) -> torch.Tensor:
        """Pixels (B, 3, S, S) -> what the tower makes of them, (B, F) or (B, F, 1, 1)."""

    @abstractmethod
    def preparation(self) -> str:
        """How pictures are prepared and what network sees them, as text."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write a folder that `load_image_tower` reads."""


class OwnBackbone(ImageBackbone):
    """The image tower of a `CLIPBundle`, its projection head included; saved as the whole CLIP."""

    def __init__(self, bundle: CLIPBundle) -> None:
        super().__init__(bundle.model.image)
        self.bundle = bundle

    def pixels(self, images: Sequence[Image.Image]) -> torch.Tensor:
        return self.bundle.pixels(images)

    def embed(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.tower(pixels)

    def preparation(self) -> str:
        return self.bundle.preparation()

    def save(self, folder: Path) -> None:
        self.bundle.save(folder)


class HubBackbone(ImageBackbone):
    """An image model of `transformers`: a ViT, a ResNet, or the image half of a CLIP with its projection."""

    def __init__(self, name: str | Path) -> None:
        from transformers import AutoImageProcessor

        super().__init__(load_vision_model(name))
        self.processor = AutoImageProcessor.from_pretrained(name)
        self.name = name

    def pixels(self, images: Sequence[Image.Image]) -> torch.Tensor:
        batch = self.processor(images=[image.convert("RGB") for image in images], return_tensors="pt")
        return batch["pixel_values"]

    def embed(self, pixels: torch.Tensor) -> torch.Tensor:
        output = self.tower(pixel_values=pixels)
        for single in ("image_embeds", "pooler_output"):
            if output.get(single) is not None:
                return output[single]
        if output.last_hidden_state.ndim == 3:
            return output.last_hidden_state[:, 0]  # (B, T, F) -> (B, F): the class token
        raise ValueError(f"{self.name}: a {self.tower.config.model_type} gives no single vector a picture")

    def preparation(self) -> str:
        return self.processor.to_json_string() + network_of(self.tower)

    def save(self, folder: Path) -> None:
        self.tower.save_pretrained(folder)
        self.processor.save_pretrained(folder)


class Places365Backbone(ImageBackbone):
    """The WideResNet18 of Places365, which knows scenes; always stored in eight bits."""

    @classmethod
    def load(cls, folder: str | Path) -> Places365Backbone:
        """Read a folder that `save` wrote; ValueError if its weights are of another network."""
        network = wide_resnet18()
        load_weights(network, Path(folder) / INT8_WEIGHTS)
        return cls(network)

    def pixels(self, images: Sequence[Image.Image]) -> torch.Tensor:
        return normalised(square_bytes(images, PLACES365_SIZE))

    def embed(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.tower(pixels)

    def preparation(self) -> str:
        return json.dumps([PLACES365, PLACES365_SIZE])

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        save_quantized(self.tower.state_dict(), folder / INT8_WEIGHTS)
        (folder / CONFIG).write_text(json.dumps({"model_type": PLACES365}) + "\n", encoding="utf-8")


def wide_resnet18() -> ResNet:
    """An untrained ResNet18 without classifier and without max-pooling: its feature maps are twice as wide as usual."""
    network = resnet18()
    network.maxpool = network.fc = nn.Identity()
    return network


def load_vision_model(name: str | Path) -> PreTrainedModel:
    """An image model of `transformers` by hub id or folder, in float32; of a CLIP the image half and its projection.

    Raises ValueError if it is none or lacks weights, which would be drawn at random without a word.
    """
    from transformers import AutoConfig, AutoModel, CLIPVisionModelWithProjection

    kind_of(name)  # says so at once if there is no such model
    config = AutoConfig.from_pretrained(name)
    if config.model_type == "clip":  # how wide the projection is, the whole CLIP knows
        config.vision_config.projection_dim = config.projection_dim
        config = config.vision_config
    kind = CLIPVisionModelWithProjection if config.model_type == "clip_vision_model" else AutoModel
    model, report = kind.from_pretrained(name, config=config, dtype=torch.float32, output_loading_info=True)
    if model.main_input_name != "pixel_values":
        raise ValueError(f"{name}: a {config.model_type} is no image tower")
    if missing := sorted(report["missing_keys"]):
        if not all(key.startswith("pooler.") for key in missing):
            raise ValueError(f"{name}: no weights for {', '.join(missing)}")
        model.pooler = None  # a ViT that classified by its first token alone, which `embed` takes instead
    return model


class LockedImageTower(nn.Module):
    """A trained backbone that stays as it is, and a new projection head, which does learn.

    The paper's best towers need no such head; for a small set of pairs it is what turns the backbone's narrow cone of
    features towards the texts.
    """

    def __init__(self, backbone: ImageBackbone, dim: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = ProjectionHead(backbone.width(), dim, dropout)

    def features(self, pixels: torch.Tensor) -> torch.Tensor:
        """Pixels (B, 3, S, S) -> what the backbone makes of them (B, F)."""
        return self.backbone(pixels)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Pixels (B, 3, S, S) -> unit embeddings (B, D)."""
        return F.normalize(self.head(self.features(pixels)), dim=-1)


def load_image_tower(name: str | Path) -> ImageBackbone:
    """An image tower by hub id or folder; the folder may also be a CLIP of ours, of which the image half is taken."""
    kind = model_type(name)
    if kind == PLACES365:
        return Places365Backbone.load(name)
    return OwnBackbone(CLIPBundle.load(name)) if kind == MODEL_TYPE else HubBackbone(name)
