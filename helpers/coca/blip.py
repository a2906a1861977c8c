"""BLIP, a captioner of transformers with published weights (Li et al. 2022, arXiv:2201.12086): English captions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from transformers import BlipForConditionalGeneration, BlipProcessor

from helpers.captioning import BEAM, LONGEST, Decoding
from helpers.config import pick_device

if TYPE_CHECKING:
    from PIL import Image

BATCH = 16  # pictures at a time


class BlipCaptioner:
    """A BLIP at work: pictures in, an English sentence each out."""

    def __init__(self, model: BlipForConditionalGeneration, processor: BlipProcessor) -> None:
        self.model, self.processor = model.eval(), processor

    @classmethod
    def from_pretrained(cls, name: str | Path, local_files_only: bool = False, device: str = "auto") -> BlipCaptioner:
        """By hub id, say Salesforce/blip-image-captioning-base (1 GB), or folder."""
        model = BlipForConditionalGeneration.from_pretrained(name, local_files_only=local_files_only)
        processor = BlipProcessor.from_pretrained(name, local_files_only=local_files_only)
        return cls(model.to(pick_device(device)), processor)

    @torch.inference_mode()
    def caption(self, images: Sequence[Image.Image], decoding: Decoding = BEAM) -> list[str]:
        """A caption for each of N pictures of any size."""
        texts = []
        for start in range(0, len(images), BATCH):
            pixels = self.processor(images=list(images[start : start + BATCH]), return_tensors="pt")
            rows = self.model.generate(**pixels.to(self.model.device), max_new_tokens=LONGEST, **decoding)
            texts += self.processor.batch_decode(rows, skip_special_tokens=True)
        return [text.strip() for text in texts]
