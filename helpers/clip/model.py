"""A CLIP of our own: ResNet34 and DistilBERT, each with a projection head, and the symmetric contrastive loss.

CLIP: Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision", section 2.
The projection head is the one of the Keras dual-encoder example: two linear layers with a residual and a LayerNorm.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.nn import functional as F
from torchvision.models import resnet34
from transformers import DistilBertConfig, DistilBertModel, PreTrainedModel

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
    """ResNet34 (He et al. 2016) without its classifier, and a projection head."""

    def __init__(self, dim: int = 512, dropout: float = 0.1) -> None:
        super().__init__()
        self.backbone = resnet34()
        features = self.backbone.fc.in_features  # 512
        self.backbone.fc = nn.Identity()
        self.head = ProjectionHead(features, dim, dropout)

    def train(self, mode: bool = True) -> ImageTower:
        """As always, but BatchNorm stays in evaluation mode: its statistics are those of ImageNet's million pictures.

        In training mode even a tower without gradients would go on changing, by every batch that it sees.
        """
        super().train(mode)
        for module in self.backbone.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def features(self, pixels: torch.Tensor) -> torch.Tensor:
        """Normalised pixels (B, 3, H, W) -> what the backbone makes of them (B, F)."""
        return self.backbone(pixels)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Normalised pixels (B, 3, H, W) -> unit embeddings (B, D)."""
        return F.normalize(self.head(self.features(pixels)), dim=-1)


class TextTower(nn.Module):
    """A BERT or DistilBERT (Sanh et al. 2019), one vector a text by `POOLING`, and a projection head."""

    def __init__(self, backbone: PreTrainedModel, dim: int = 512, pooling: str = "mean", dropout: float = 0.1) -> None:
        super().__init__()
        self.backbone = backbone
        self.pool = POOLING[pooling]
        self.head = ProjectionHead(backbone.config.hidden_size, dim, dropout)

    def features(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Token ids and their mask (B, T) -> what the backbone makes of them (B, F)."""
        output = self.backbone(input_ids, attention_mask, output_hidden_states=True)
        return self.pool(output.hidden_states, attention_mask)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Token ids and their mask (B, T) -> unit embeddings (B, D)."""
        return F.normalize(self.head(self.features(input_ids, attention_mask)), dim=-1)


class CustomCLIP(nn.Module):
    """Two towers that land in one space, and the learnable temperature between them."""

    def __init__(self, image: nn.Module, text: TextTower) -> None:
        super().__init__()
        self.image = image
        self.text = text
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def forward(
        self, pixels: torch.Tensor, input_ids: torch.Tensor, attention_mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """A batch of pairs -> image and text embeddings, (B, D) each, of unit norm."""
        return self.image(pixels), self.text(input_ids, attention_mask)


class ProjectionHeads(nn.Module):
    """What is left of a CLIP to train when both backbones are frozen and their features were computed beforehand.

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
    """What is left of a CLIP to train when the image backbone alone is frozen and its features are stored.

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
    logits = image_embeds @ text_embeds.T * logit_scale.exp()  # (B, D) @ (D, B) -> (B, B)
    labels = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2


def build_clip(
    text_config: DistilBertConfig | dict, dim: int = 512, pooling: str = "mean", dropout: float = 0.1
) -> CustomCLIP:
    """An untrained model with a ResNet34 and the DistilBERT that `text_config` describes; `dropout` of the heads."""
    config = DistilBertConfig(**text_config) if isinstance(text_config, dict) else text_config
    return CustomCLIP(ImageTower(dim, dropout), TextTower(DistilBertModel(config), dim, pooling, dropout))


def bilingual_tokenizer(texts: Sequence[str], vocab_size: int = 8000, min_frequency: int = 2):
    """A word-piece tokenizer learnt from `texts`: single Han characters, and pieces of lower-cased English words."""
    from tokenizers import BertWordPieceTokenizer
    from transformers import PreTrainedTokenizerFast

    learner = BertWordPieceTokenizer(lowercase=True, handle_chinese_chars=True)
    learner.train_from_iterator(texts, vocab_size, min_frequency, limit_alphabet=vocab_size, show_progress=False)
    return PreTrainedTokenizerFast(
        tokenizer_object=learner._tokenizer, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]",
        sep_token="[SEP]", mask_token="[MASK]",
    )  # fmt: skip
