"""A CLIP of our own: two backbones, each with a projection head, and the symmetric contrastive loss.

CLIP: Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision", section 2.
The projection head is the one of the Keras dual-encoder example: two linear layers with a residual and a LayerNorm.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F
from torchvision.models import ResNet, resnet18, resnet34
from transformers import AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.utils import ModelOutput

from helpers.clip.configuration import CustomCLIPConfig, ImageTowerConfig, TorchvisionConfig
from helpers.storage import load_strictly, remove_weights, save_quantized_pretrained

MAX_LOGIT_SCALE = math.log(100)  # the clamp of the CLIP paper, section 2.5: logits never more than 100 times the cosine


class ProjectionHead(nn.Module):
    """Features of a tower (B, F) -> the shared space (B, D), not yet normalised."""

    def __init__(self, features: int, dim: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.projection = nn.Linear(features, dim)
        self.hidden = nn.Linear(dim, dim)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(dim)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        projected = self.projection(features)  # (B, F) @ (F, D) -> (B, D)
        return self.norm(projected + self.dropout(self.hidden(F.gelu(projected))))


class Shift(nn.Module):
    """Features (B, D) -> (B, D), not yet normalised: moved by one offset, which is all that learns.

    Enough for a tower that has met texts before. Its pictures lie in a narrow cone, and so do its texts, in another one
    (Liang et al. 2022, "Mind the Gap", arXiv:2203.02053); without most of their mean, pictures are told apart by what
    they show, and a vector that is known for a word stays the word's.
    """

    def __init__(self, features: int, dim: int, dropout: float = 0.0) -> None:
        super().__init__()
        if features != dim:
            raise ValueError(f"a shift leaves {features} features {features}, and makes no {dim} of them")
        self.offset = nn.Parameter(torch.zeros(dim))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features + self.offset


IMAGE_HEADS: dict[str, Callable[[int, int, float], nn.Module]] = {"projection": ProjectionHead, "shift": Shift}


def masked_mean(features: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
    """Mean over the tokens that are not padding: (B, T, F), (B, T) -> (B, F)."""
    mask = attention_mask.unsqueeze(-1).to(features.dtype)  # (B, T, 1)
    return (features * mask).sum(1) / mask.sum(1).clamp(min=1)


HiddenStates = Sequence[torch.Tensor]  # the token features of every layer (B, T, F), the last layer last

# How a text becomes one vector: (hidden states, attention mask (B, T)) -> (B, F).
POOLING: dict[str, Callable[[HiddenStates, torch.Tensor], torch.Tensor]] = {
    "mean": lambda states, mask: masked_mean(states[-1], mask),
    "cls": lambda states, mask: states[-1][:, 0],  # the first token, as the Keras dual encoder does
    # The last layer knows most about the task that the backbone was trained for; a frozen one is better read earlier.
    "mean of 3 layers": lambda states, mask: masked_mean(torch.stack(list(states[-3:])).mean(0), mask),
}


class ImageTower(nn.Module):
    """A backbone that makes one vector of a picture, and a projection head.

    `locked`: the backbone never learns, and its features are scaled to unit length, whatever network it is (LiT: Zhai
    et al. 2022, arXiv:2111.07991, section 3). The paper's best towers need no head; for a small set of pairs it is
    the head that turns the backbone's narrow cone of features towards the texts.
    """

    def __init__(
        self,
        backbone: nn.Module,
        width: int,
        dim: int = 512,
        dropout: float = 0.1,
        locked: bool = False,
        head: str = "projection",
    ) -> None:
        """`width`: F, how many features a picture has."""
        super().__init__()
        self.backbone = backbone.eval().requires_grad_(False) if locked else backbone
        self.head = IMAGE_HEADS[head](width, dim, dropout)
        self.locked = locked

    @classmethod
    def from_config(cls, config: ImageTowerConfig) -> ImageTower:
        """An untrained tower; of a backbone from transformers, its configuration says how wide it is."""
        return cls.around(build_image_backbone(config.vision_config), config)

    @classmethod
    def around(cls, backbone: nn.Module, config: ImageTowerConfig) -> ImageTower:
        """An untrained head on a backbone that `config.vision_config` describes."""
        width = feature_width(config.vision_config)
        return cls(backbone, width, config.dim, config.dropout, config.locked, config.head)

    def train(self, mode: bool = True) -> ImageTower:
        """As always, but BatchNorm stays in evaluation mode: its statistics are those of ImageNet's million pictures.

        In training mode even a tower without gradients would go on changing, by every batch that it sees. A locked
        backbone stays there as a whole: it has no dropout either.
        """
        super().train(mode)
        for module in self.backbone.modules():
            if self.locked or isinstance(module, nn.BatchNorm2d):
                module.training = False
        return self

    def features(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """Normalised pixels (B, 3, H, W) -> the backbone's features (B, F)."""
        features = single_vector(self.backbone(pixel_values))
        return F.normalize(features, dim=-1) if self.locked else features

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """Normalised pixels (B, 3, H, W) -> unit embeddings (B, D)."""
        return F.normalize(self.head(self.features(pixel_values)), dim=-1)


def places365_wideresnet18() -> ResNet:
    """A ResNet18 without max-pooling: feature maps twice as wide as usual (Places365: Zhou et al. 2018, TPAMI 40)."""
    network = resnet18()
    network.maxpool = nn.Identity()
    return network


TORCHVISION: dict[str, Callable[[], ResNet]] = {"resnet34": resnet34, "places365_wideresnet18": places365_wideresnet18}


class TorchvisionNetwork(PreTrainedModel):
    """A ResNet of torchvision without its classifier, as a model of transformers; weights have torchvision's names."""

    config_class = TorchvisionConfig
    main_input_name = "pixel_values"

    def __init__(self, config: TorchvisionConfig) -> None:
        super().__init__(config)
        network = TORCHVISION[config.architecture]()
        network.fc = nn.Identity()
        for name, module in network.named_children():
            self.add_module(name, module)
        self.post_init()

    def init_weights(self) -> None:
        """Nothing: torchvision has drawn them."""

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """Normalised pixels (B, 3, H, W) -> features (B, F)."""
        return ResNet._forward_impl(self, pixel_values)  # which needs no more of a ResNet than its modules


def build_image_backbone(config: PreTrainedConfig) -> nn.Module:
    """An untrained image network without classifier, from its configuration."""
    if isinstance(config, ImageTowerConfig):
        return ImageTower.from_config(config)
    if config.model_type == "clip_vision_model":
        from transformers import CLIPVisionModelWithProjection  # not needed for other towers

        return CLIPVisionModelWithProjection(config)
    return AutoModel.from_config(config, **without_pooler(config))


def without_pooler(config: PreTrainedConfig) -> dict[str, bool]:
    """The argument by which transformers leaves out a pooling layer that was never trained.

    The configuration remembers it by another name: one that it knows itself never reaches the model.
    """
    return {} if getattr(config, "has_pooler", True) else {"add_pooling_layer": False}


def feature_width(config: PreTrainedConfig) -> int:
    """F of the backbone that a configuration describes."""
    for name in ("projection_dim", "hidden_size"):
        if getattr(config, name, None):
            return getattr(config, name)
    return config.hidden_sizes[-1]  # of the last stage of a convolutional network


def single_vector(output: torch.Tensor | ModelOutput) -> torch.Tensor:
    """A backbone's output -> (B, F): projected if it has a projection, pooled if it pools, else its class token."""
    if torch.is_tensor(output):
        return output
    for name in ("image_embeds", "pooler_output"):
        if output.get(name) is not None:
            return output[name].flatten(1)  # ResNet's are (B, F, 1, 1)
    return output.last_hidden_state[:, 0]  # (B, T, F) -> (B, F)


class TextTower(nn.Module):
    """A BERT or DistilBERT (Sanh et al. 2019), one vector a text by `POOLING`, and a projection head."""

    def __init__(self, backbone: PreTrainedModel, dim: int = 512, pooling: str = "mean", dropout: float = 0.1) -> None:
        super().__init__()
        self.backbone = backbone
        self.pool = POOLING[pooling]
        self.head = ProjectionHead(backbone.config.hidden_size, dim, dropout)

    def features(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Token ids and their mask (B, T) -> the backbone's features (B, F)."""
        output = self.backbone(input_ids, attention_mask, output_hidden_states=True)
        return self.pool(output.hidden_states, attention_mask)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Token ids and their mask (B, T) -> unit embeddings (B, D)."""
        return F.normalize(self.head(self.features(input_ids, attention_mask)), dim=-1)


class CustomCLIP(PreTrainedModel):
    """Two towers that land in one space, and the learnable temperature between them.

    Loads and saves as every model of transformers does (`from_pretrained`, `save_pretrained`, `push_to_hub`,
    `AutoModel`), and also from weights in eight bits (`helpers.storage`). Weights that are missing are an error, where
    transformers would draw them at random.
    """

    config_class = CustomCLIPConfig
    config: CustomCLIPConfig
    base_model_prefix = "custom_clip"
    main_input_name = "pixel_values"

    def __init__(
        self,
        config: CustomCLIPConfig,
        image_backbone: nn.Module | None = None,
        text_backbone: PreTrainedModel | None = None,
    ) -> None:
        """Untrained heads, and backbones that are untrained where none are given."""
        super().__init__(config)
        if image_backbone is None:
            image_backbone = build_image_backbone(config.vision_config)
        self.image = ImageTower.around(image_backbone, config.image_tower)
        if text_backbone is None:
            text_backbone = AutoModel.from_config(config.text_config, **without_pooler(config.text_config))
        self.text = TextTower(text_backbone, config.dim, config.pooling, config.dropout)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        self.post_init()

    def init_weights(self) -> None:
        """Nothing: the modules have drawn their own weights, as torch and transformers do by themselves."""

    def forward(
        self, pixel_values: torch.Tensor, input_ids: torch.Tensor, attention_mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """A batch of pairs -> image and text embeddings, (B, D) each, of unit norm."""
        return self.image(pixel_values), self.text(input_ids, attention_mask)

    def get_image_features(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """Pixels (B, 3, S, S) -> (B, D): if the model is `mirrored` the mean over each picture and its mirror image."""
        if not self.config.mirrored:
            return self.image(pixel_values)
        views = torch.cat([pixel_values, pixel_values.flip(-1)])
        embeds = self.image(views.contiguous(memory_format=torch.channels_last))  # (2B, D)
        return (embeds[: len(pixel_values)] + embeds[len(pixel_values) :]) / 2

    def get_text_features(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Tokens (B, T) -> (B, D), of unit norm."""
        return self.text(input_ids, attention_mask)

    @classmethod
    def from_pretrained(cls, name: str | Path, *args: object, **kwargs: object) -> CustomCLIP:
        """Load a folder or a hub id. Raises ValueError for weights that are damaged or not those of the config."""
        model = load_strictly(super().from_pretrained, cls.config_class, name, *args, **kwargs)
        if model.config.locked:
            model.image.backbone.requires_grad_(False)  # loading gives it new parameters
        return model

    def save_pretrained(self, folder: str | Path, *args: object, quantized: bool = False, **kwargs: object) -> None:
        """Write config.json and the weights; `quantized` to eight bits, a quarter of the size, which only we read."""
        if quantized:
            save_quantized_pretrained(self, folder)
        else:
            super().save_pretrained(folder, *args, **kwargs)
            remove_weights(Path(folder), "model.int8*")


class ProjectionHeads(nn.Module):
    """The trainable rest of a CLIP whose backbones are both frozen, on features computed beforehand.

    The heads and the temperature are those of `clip` itself, not copies: training these trains it.
    """

    def __init__(self, clip: CustomCLIP) -> None:
        super().__init__()
        self.image = clip.image.head
        self.text = clip.text.head
        self.logit_scale = clip.logit_scale

    def forward(self, image_features: torch.Tensor, text_features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Features (B, F) of both backbones -> image and text embeddings, (B, D) each, of unit norm."""
        return F.normalize(self.image(image_features), dim=-1), F.normalize(self.text(text_features), dim=-1)


class LockedCLIP(nn.Module):
    """The trainable rest of a CLIP whose image backbone alone is frozen, on its stored features.

    As with `ProjectionHeads`, training this trains `clip` itself.
    """

    def __init__(self, clip: CustomCLIP) -> None:
        super().__init__()
        self.image = clip.image.head
        self.text = clip.text
        self.logit_scale = clip.logit_scale

    def forward(
        self, image_features: torch.Tensor, input_ids: torch.Tensor, attention_mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Image features (B, F) and tokens (B, T) -> image and text embeddings, (B, D) each, of unit norm."""
        return F.normalize(self.image(image_features), dim=-1), self.text(input_ids, attention_mask)


def contrastive_loss(image_embeds: torch.Tensor, text_embeds: torch.Tensor, logit_scale: torch.Tensor) -> torch.Tensor:
    """The symmetric cross-entropy of CLIP (figure 3 of the paper): pair i belongs together, all others do not.

    `image_embeds` and `text_embeds` (B, D) of unit norm, `logit_scale` the logarithm of the inverse temperature.
    Training clamps that after each step, in place: a clamp in here would stop its gradient for good at the limit.
    """
    return symmetric_cross_entropy(image_embeds @ text_embeds.T * logit_scale.exp())  # (B, D) @ (D, B) -> (B, B)


def symmetric_cross_entropy(logits: torch.Tensor) -> torch.Tensor:
    """Each row must find its column and each column its row: logits (B, B), of which the diagonal is right."""
    labels = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2


AutoModel.register(TorchvisionConfig, TorchvisionNetwork)
AutoModel.register(CustomCLIPConfig, CustomCLIP)
