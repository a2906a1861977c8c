"""What every model of ours is besides its network: a tokenizer, a configuration, and a way of looking at pictures."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from PIL import Image
from transformers import PreTrainedTokenizerBase

from helpers.clip.model import CustomCLIP
from helpers.storage import digest, network_of, weights_digest


class Bundle(ABC):
    """A `CustomCLIP`, its tokenizer and its configuration, a dataclass with `dim` and `max_tokens`."""

    def __init__(self, model: CustomCLIP, tokenizer: PreTrainedTokenizerBase, config: object) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.config = config

    @abstractmethod
    def pixels(self, images: Sequence[Image.Image]) -> torch.Tensor:
        """Pictures of any size -> normalised pixels (B, 3, S, S)."""

    @abstractmethod
    def preparation(self) -> str:
        """How pictures are prepared, as text: features of them are only the same if this is."""

    @abstractmethod
    def save(self, folder: str | Path) -> None:
        """Write the folder that `load` reads, made if need be."""

    def tokens(self, texts: Sequence[str]) -> dict[str, torch.Tensor]:
        """Texts -> input_ids and attention_mask, (B, T) each, padded to the longest."""
        something = self.tokenizer.unk_token or self.tokenizer.pad_token
        spoken = [text if text.strip() else something for text in texts]  # never a row without tokens
        batch = self.tokenizer(
            spoken, padding=True, truncation=True, max_length=self.config.max_tokens, return_tensors="pt"
        )
        return {"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"]}

    def digest(self) -> str:
        """A key that changes when a weight, the tokenizer, the configuration or the preparation of pictures does."""
        settings = json.dumps(asdict(self.config))
        reading = [self.vocabulary(), network_of(self.model.text.backbone)]
        return digest([weights_digest(self.model), *reading, settings, self.preparation()])

    def vocabulary(self) -> str:
        """The tokenizer as text, without the truncation and padding that its last call happened to leave in it."""
        content = json.loads(self.tokenizer.backend_tokenizer.to_str())
        return json.dumps({**content, "truncation": None, "padding": None}, sort_keys=True)
