"""CapDec: a captioner that learns from sentences alone (Nukrai et al. 2022, arXiv:2211.00575).

An image-text model puts a sentence near the pictures that it suits. So the decoder learns to write a sentence from that
sentence's own vector, and is shown a picture's vector afterwards. "Near" is not "at": all pictures lie in one narrow
cone and all sentences in another (the modality gap: Liang et al. 2022, arXiv:2203.02053). There are two cures: noise on
the sentences' vectors, so that the decoder gets used to vectors that are not quite right, and a move of the pictures by
the distance between the two means.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from helpers.captioning.neighbours import CaptionedEmbeds
from helpers.captioning.prefix import Centred

if TYPE_CHECKING:
    from helpers.chinese_clip import ImageTextEncoder

NOISE = 0.016  # the paper's variance, a number of a vector of length 1
SHIFTED_NOISE = 0.004  # where the pictures are moved, too: as good, and the captions are livelier


class Blurred(nn.Module):
    """A model that reads embeddings, and noise on these while it learns."""

    def __init__(self, model: nn.Module, variance: float) -> None:
        super().__init__()
        self.model, self.variance = model, variance

    def forward(self, image_embeds: Tensor, **others: Tensor) -> object:
        """Embeddings (B, D) and what the model takes besides -> what it returns."""
        if self.training and self.variance:  # without noise, no number is drawn for it
            image_embeds = image_embeds + self.variance**0.5 * torch.randn_like(image_embeds)
        return self.model(image_embeds, **others)


def embed_sentences(encoder: ImageTextEncoder, sentences: Sequence[str]) -> CaptionedEmbeds:
    """N sentences, each with its own vector (N, D) in the picture's place; from the cache if they are there.

    Of sentences that are the same one counts.
    """
    different = list(dict.fromkeys(sentences))
    return CaptionedEmbeds(encoder.encode_texts(different, cache=True), [[text] for text in different])


def move_to_pictures(centred: Centred, image_embeds: np.ndarray) -> None:
    """Put the mean of pictures (R, D) in the place of the sentences' that a model learnt from.

    It reads vectors about their mean: with this one, a picture stands among pictures where the sentence
    for it stood among sentences. The pictures may be any, but not those that it is measured on.
    """
    centred.mean.copy_(torch.as_tensor(image_embeds.mean(0), dtype=torch.float32))
