"""From a picture's vector to the beginning of a sentence: k vectors as wide as the decoder's embeddings (ClipCap).

Mokady et al. 2021 (arXiv:2111.09734), section 3.2: an MLP for a decoder that learns too, a Transformer where the
decoder is frozen and all the learning falls to the mapping.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

HEADS = 8
LAYERS = 4


class Centred(nn.Module):
    """Embeddings about the mean picture, one in size.

    CLIP's pictures lie in a narrow cone, with cosines of 0.5 and more between any two. What tells them apart is small
    beside what they share, and a mapping would need an epoch to find it.
    """

    def __init__(self, image_dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(image_dim))
        self.register_buffer("scale", torch.ones(1))

    def fit(self, image_embeds: np.ndarray) -> None:
        """The mean (D,) of embeddings (N, D), and the size of a number about it."""
        embeds = torch.as_tensor(image_embeds, dtype=torch.float32)
        self.mean.copy_(embeds.mean(0))
        self.scale.fill_(max((embeds - self.mean).std().item(), 1e-6))  # of one picture alone it is nothing

    def forward(self, image_embeds: Tensor) -> Tensor:
        """(B, D) -> (B, D)."""
        return (image_embeds - self.mean) / self.scale


class MLPMapping(nn.Module):
    """Two layers with a tanh between them."""

    def __init__(self, image_dim: int, width: int, prefix_length: int, constants: int) -> None:
        super().__init__()
        self.shape = prefix_length, width
        size = prefix_length * width
        self.layers = nn.Sequential(nn.Linear(image_dim, size // 2), nn.Tanh(), nn.Linear(size // 2, size))

    def forward(self, image_embeds: Tensor) -> Tensor:
        """Embeddings (B, D) -> prefixes (B, k, W)."""
        return self.layers(image_embeds).unflatten(1, self.shape)


class TransformerMapping(nn.Module):
    """The picture as k vectors, and learnt constants that look at them: the outputs at the constants are the prefix."""

    def __init__(self, image_dim: int, width: int, prefix_length: int, constants: int) -> None:
        super().__init__()
        self.prefix_length = prefix_length
        self.project = nn.Linear(image_dim, constants * width)
        self.constants = nn.Parameter(torch.randn(prefix_length, width))
        heads = next(n for n in range(HEADS, 0, -1) if width % n == 0)
        layer = nn.TransformerEncoderLayer(
            width, heads, 2 * width, dropout=0.0, activation="relu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)

    def forward(self, image_embeds: Tensor) -> Tensor:
        """Embeddings (B, D) -> prefixes (B, k, W)."""
        seen = self.project(image_embeds).unflatten(1, (-1, self.constants.shape[1]))  # (B, c, W)
        constants = self.constants.expand(len(image_embeds), -1, -1)  # (B, k, W)
        with plain_products(image_embeds.device):
            return self.encoder(torch.cat([seen, constants], 1))[:, -self.prefix_length :]


def plain_products(device: torch.device) -> AbstractContextManager:
    """Attention without the fused kernel: of twenty vectors, on a CPU, its backward pass takes three times as long."""
    return sdpa_kernel(SDPBackend.MATH) if device.type == "cpu" else nullcontext()


MAPPINGS = {"mlp": MLPMapping, "transformer": TransformerMapping}
