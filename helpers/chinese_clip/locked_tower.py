"""The locked image tower of LiT: somebody else's trained network, used as it is and never changed.

LiT: Zhai et al. 2022, "LiT: Zero-Shot Transfer with Locked-image text Tuning" (arXiv:2111.07991), section 3.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from torch import nn
from transformers import AutoConfig, AutoImageProcessor, AutoModel, CLIPVisionModelWithProjection, PreTrainedConfig
from transformers.image_processing_utils import BaseImageProcessor

from helpers.clip import is_custom_clip, load_clip
from helpers.storage import kind_of


class LockedTower(NamedTuple):
    """A trained image tower with its own way of preparing pictures."""

    backbone: nn.Module
    config: PreTrainedConfig
    image_processor: BaseImageProcessor


def load_image_tower(name: str | Path) -> LockedTower:
    """An image tower by hub id or folder: a ViT, a ResNet, the image half of a CLIP, or that of a model of ours.

    Raises ValueError if it is none or lacks weights.
    """
    if is_custom_clip(name):
        model, processor = load_clip(name)
        if model.config.locked:  # the tower that it was trained against, not the head that was trained to it
            return LockedTower(model.image.backbone, model.config.vision_config, processor.image_processor)
        return LockedTower(model.image, model.config.image_tower, processor.image_processor)
    backbone = load_vision_model(name)
    return LockedTower(backbone, backbone.config, AutoImageProcessor.from_pretrained(name))


def load_vision_model(name: str | Path) -> nn.Module:
    """An image model of `transformers` by hub id or folder, in float32; of a CLIP the image half and its projection.

    Raises ValueError if it is none or lacks weights, which would be drawn at random without a word.
    """
    kind_of(name)  # says so at once if there is no such model
    config = AutoConfig.from_pretrained(name)
    if config.model_type == "clip":  # the width of the projection stands in the whole CLIP's configuration
        config.vision_config.projection_dim = config.projection_dim
        config = config.vision_config
    kind = CLIPVisionModelWithProjection if config.model_type == "clip_vision_model" else AutoModel
    model, report = kind.from_pretrained(name, config=config, dtype="float32", output_loading_info=True)
    if model.main_input_name != "pixel_values":
        raise ValueError(f"{name}: a {config.model_type} is no image tower")
    if missing := sorted(report["missing_keys"]):
        if not all(key.startswith("pooler.") for key in missing):
            raise ValueError(f"{name}: no weights for {', '.join(missing)}")
        model.pooler = None  # a ViT that classified by its first token alone, which `single_vector` takes instead
        model.config.has_pooler = False  # so that it is built without one when it is loaded again
    return model
