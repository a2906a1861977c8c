"""A CLIP of ours as a configuration that `transformers` knows: two backbones, and the space that they meet in."""

from __future__ import annotations

from copy import deepcopy

from transformers import CONFIG_MAPPING, AutoConfig, PreTrainedConfig


class TorchvisionConfig(PreTrainedConfig):
    """A network of torchvision without its classifier: `architecture` is a name of `model.TORCHVISION`."""

    model_type = "torchvision_network"

    def __init__(self, architecture: str = "resnet34", hidden_size: int = 512, **kwargs: object) -> None:
        self.architecture = architecture
        self.hidden_size = hidden_size  # F, the width of its features
        super().__init__(**kwargs)


class ImageTowerConfig(PreTrainedConfig):
    """An image tower: the backbone that `vision_config` describes and a projection head.

    `locked`: the backbone never learns, and its features are scaled to unit length, whatever network it is. `head`: a
    name of `model.IMAGE_HEADS`.
    """

    model_type = "custom_clip_image_tower"
    attribute_map = {"hidden_size": "dim"}  # as every backbone's configuration calls its width

    def __init__(
        self,
        vision_config: dict | PreTrainedConfig | None = None,
        dim: int = 512,
        dropout: float = 0.1,
        locked: bool = False,
        head: str = "projection",
        **kwargs: object,
    ) -> None:
        self.vision_config = as_config(vision_config, TorchvisionConfig.model_type)
        self.dim = dim
        self.dropout = dropout
        self.locked = locked
        self.head = head
        super().__init__(**kwargs)


class CustomCLIPConfig(PreTrainedConfig):
    """Two towers with a projection head each.

    Args:
        vision_config: the image backbone: a `TorchvisionConfig`, an `ImageTowerConfig`, or that of any image model of
            transformers.
        text_config: the text backbone, a BERT or one of its kind.
        dim: D, the dimension of the shared space.
        pooling: a name of `model.POOLING`.
        dropout: of the projection heads, in training.
        locked: see `ImageTowerConfig`.
        image_head: a name of `model.IMAGE_HEADS`.
        mirrored: a picture's embedding is the mean of its own and its mirror image's: steadier, at twice the price.
    """

    model_type = "custom_clip"
    attribute_map = {"projection_dim": "dim"}  # as transformers' CLIPs call it
    sub_configs = {"vision_config": AutoConfig, "text_config": AutoConfig}

    def __init__(
        self,
        vision_config: dict | PreTrainedConfig | None = None,
        text_config: dict | PreTrainedConfig | None = None,
        dim: int = 512,
        pooling: str = "mean",
        dropout: float = 0.1,
        locked: bool = False,
        image_head: str = "projection",
        mirrored: bool = True,
        **kwargs: object,
    ) -> None:
        self.vision_config = as_config(vision_config, TorchvisionConfig.model_type)
        self.text_config = as_config(text_config, "distilbert")
        self.dim = dim
        self.pooling = pooling
        self.dropout = dropout
        self.locked = locked
        self.image_head = image_head
        self.mirrored = mirrored
        super().__init__(**kwargs)

    @property
    def image_tower(self) -> ImageTowerConfig:
        return ImageTowerConfig(self.vision_config, self.dim, self.dropout, self.locked, self.image_head)


def as_config(config: dict | PreTrainedConfig | None, default: str) -> PreTrainedConfig:
    """The configuration that a dictionary of config.json describes, or a copy of one; ValueError for an unknown kind.

    A copy, since a configuration sets the attention of those inside it: a backbone that shares its own would lose it.
    """
    if isinstance(config, PreTrainedConfig):
        return deepcopy(config)
    config = dict(config or {})
    kind = config.pop("model_type", default)
    if kind not in CONFIG_MAPPING:
        raise ValueError(f"unknown kind of model: {kind!r}")
    return CONFIG_MAPPING[kind](**config)


for config_class in (TorchvisionConfig, ImageTowerConfig, CustomCLIPConfig):
    AutoConfig.register(config_class.model_type, config_class)
