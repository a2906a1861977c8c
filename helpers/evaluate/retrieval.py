"""Retrieval of pictures by captions and of captions by pictures, for any image-text model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from helpers.data import flatten
from helpers.metrics import chance_recall, recall_at_k

if TYPE_CHECKING:
    from helpers.chinese_clip import ImageTextEncoder
    from helpers.data import CaptionData


def evaluate_retrieval(encoder: ImageTextEncoder, data: CaptionData, language: str = "en") -> dict[str, object]:
    """recall@1/5/10 both ways on all pictures and all their captions, beside chance."""

    texts, owners = flatten(data.in_language(language))
    recall = recall_at_k(encoder.encode_images(data.pictures), encoder.encode_texts(texts), owners)
    return {"pictures": len(data), "captions": len(texts), **recall, "chance": chance_recall(owners)}
