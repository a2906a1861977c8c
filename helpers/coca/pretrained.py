"""Models of open_clip with the weights that their authors publish: CoCas as captioners, any CLIP as an encoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from helpers.captioning import BEAM, Decoding
from helpers.clip import in_batches
from helpers.coca.beams import open_clip
from helpers.coca.model import as_open_clip, mend
from helpers.config import BATCH_SIZE, autocast, pick_device
from helpers.storage import cached, digest, weights_digest

if TYPE_CHECKING:
    from PIL import Image

COCO = "mscoco_finetuned_laion2b_s13b_b90k"  # of coca_ViT-B-32 and coca_ViT-L-14: those that caption
BATCH = 16  # pictures at a time: each is encoded, and looked at, once a beam


class OpenClipCaptioner:
    """A CoCa of open_clip: pictures in, an English sentence each out."""

    def __init__(
        self, model: open_clip.CoCa, preprocess: Callable[[Image.Image], torch.Tensor],
        tokenizer: open_clip.SimpleTokenizer,
    ) -> None:  # fmt: skip
        self.model, self.preprocess, self.tokenizer = model.eval(), preprocess, tokenizer

    @classmethod
    def from_pretrained(cls, name: str, weights: str | None = COCO, device: str = "auto") -> OpenClipCaptioner:
        """A model by its name in open_clip, say coca_ViT-L-14; `weights`: None for random ones.

        Weights come from the hub: 1 GB for coca_ViT-B-32, 2.6 GB for coca_ViT-L-14. Raises ValueError for a name that
        is no CoCa's.
        """
        if (name, COCO) not in open_clip.list_pretrained():
            raise ValueError(f"{name}: neither a folder with a captioner nor a CoCa of open_clip, say coca_ViT-L-14")
        device = pick_device(device)
        model, _, preprocess = open_clip.create_model_and_transforms(name, pretrained=weights, device=device)
        return cls(mend(model, pretrained=weights is not None), preprocess, open_clip.get_tokenizer(name))

    @torch.inference_mode()
    def caption(self, images: Sequence[Image.Image], decoding: Decoding = BEAM) -> list[str]:
        """A caption for each of N pictures of any size."""
        device = self.model.logit_scale.device
        texts = []
        for start in range(0, len(images), BATCH):
            pixels = torch.stack([self.preprocess(image) for image in images[start : start + BATCH]]).to(device)
            # On a CPU in bfloat16 all weights would be rounded anew at each step: twenty times as slow.
            with autocast(device.type, torch.float32 if device.type == "cpu" else None):
                rows = self.model.generate(pixels, **as_open_clip(decoding))  # (B, T)
            texts += [self._text(ids) for ids in rows.tolist()]
        return texts

    def _text(self, ids: list[int]) -> str:
        """What stands before the end token."""
        start, end = self.tokenizer.sot_token_id, self.tokenizer.eot_token_id
        ids = ids[: ids.index(end)] if end in ids else ids
        return self.tokenizer.decode([i for i in ids if i not in (start, 0)]).strip()


class OpenClipEncoder:
    """Any image-text model of open_clip: pictures and texts as unit vectors of one space, like `ImageTextEncoder`."""

    def __init__(
        self, model: nn.Module, preprocess: Callable[[Image.Image], torch.Tensor],
        tokenizer: Callable[[list[str]], torch.Tensor], name: str,
    ) -> None:  # fmt: skip
        self.model, self.preprocess, self.tokenizer, self.name = model.eval(), preprocess, tokenizer, name

    @classmethod
    def from_pretrained(cls, name: str, device: str = "auto") -> OpenClipEncoder:
        """By architecture and weights, say "ViT-B-32/laion2b_s34b_b79k"; the weights come from the hub.

        Raises ValueError for a pair that open_clip does not have.
        """
        architecture, _, weights = name.partition("/")
        if (architecture, weights) not in open_clip.list_pretrained():
            raise ValueError(f"{name}: no model of open_clip with weights, say ViT-B-32/laion2b_s34b_b79k")
        device = pick_device(device)
        model, _, preprocess = open_clip.create_model_and_transforms(architecture, pretrained=weights, device=device)
        return cls(model, preprocess, open_clip.get_tokenizer(architecture), name)

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    @cached_property
    def fingerprint(self) -> str:
        """A key that changes when the model does."""
        return digest(["open_clip", self.name, weights_digest(self.model)])

    def encode_images(self, images: Sequence[Image.Image]) -> np.ndarray:
        """Pictures of any size -> (N, D) float32, unit norm."""
        return self._encode(
            images,
            lambda some: self.model.encode_image(
                torch.stack([self.preprocess(image) for image in some]).to(self.device)
            ),
        )

    def encode_texts(self, texts: Sequence[str], cache: bool = False) -> np.ndarray:
        """Texts -> (M, D) float32, unit norm; with `cache` kept on disk for the next call with the same texts."""

        def compute() -> np.ndarray:
            return self._encode(texts, lambda some: self.model.encode_text(self.tokenizer(list(some)).to(self.device)))

        return cached(digest([self.fingerprint, *texts]), compute) if cache else compute()

    def _encode(self, items: Sequence, embed: Callable[[Sequence], torch.Tensor]) -> np.ndarray:
        with autocast(self.device.type):
            return in_batches(embed, items, BATCH_SIZE)
