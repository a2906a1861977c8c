"""The direct door: a picture's prefix in front of the poem model, with no word between them.

The poem model's decoder looks at what its encoder made of the keywords and the lines so far. Here a mapping puts k
vectors in front of these, made of the picture, and there are no keywords. Nobody has written quatrains for
photographs. So the pairs come from retrieval, each picture with the classical quatrains that the image-text model finds
nearest; or there are none, and each couplet's own vector stands in the picture's place (CapDec, see `capdec`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import Dataset
from transformers import (
    AutoConfig,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    T5ForConditionalGeneration,
)
from transformers.modeling_outputs import BaseModelOutput, Seq2SeqLMOutput

from helpers.captioning.capdec import Blurred
from helpers.captioning.prefix import Centred, MLPMapping
from helpers.clip import Pair, PairBatches
from helpers.options import CaptionTrainingConfig
from helpers.poems import IGNORED, PoemWriter, behind, collate, source_text, target_text, tokenize
from helpers.storage import array_digest, digest, weights_digest
from helpers.training import Figures, Progress, Task, fit_and_save, make_accelerator, open_run, parameter_groups

LINES = 4


class VersePrefixConfig(PreTrainedConfig):
    """`image_dim`: D of the embeddings; `width`: W of the poem model; `prefix_length`: k."""

    model_type = "verse_prefix"

    def __init__(self, image_dim: int = 512, width: int = 320, prefix_length: int = 4, **kwargs: object) -> None:
        self.image_dim, self.width, self.prefix_length = image_dim, width, prefix_length
        super().__init__(**kwargs)


class VersePrefix(PreTrainedModel):
    """Embeddings -> what the poem model's decoder sees first."""

    config_class = VersePrefixConfig

    def __init__(self, config: VersePrefixConfig) -> None:
        super().__init__(config)
        self.centred = Centred(config.image_dim)
        self.mapping = MLPMapping(config.image_dim, config.width, config.prefix_length, config.prefix_length)
        self.post_init()

    def forward(self, image_embeds: Tensor) -> Tensor:
        """(B, D) -> (B, k, W)."""
        return self.mapping(self.centred(image_embeds))


AutoConfig.register(VersePrefixConfig.model_type, VersePrefixConfig)


class PicturesWithVerse(NamedTuple):
    """Pictures, or texts in their place, and for each the verse that goes with it."""

    image_embeds: np.ndarray  # (N, D)
    poems: Sequence[Sequence[Sequence[str]]]  # (N,) of some quatrains each, or of their first lines
    told: int = LINES  # lines that it learns to write, the last ones of each; those before are given


class PrefixedWriter(nn.Module):
    """A prefix that learns, behind noise of this variance, and a poem model that does not."""

    def __init__(self, prefix: VersePrefix, writer: PoemWriter, noise: float) -> None:
        super().__init__()
        self.prefix = Blurred(prefix, noise)
        self.t5 = writer.model.requires_grad_(False)

    def forward(
        self, image_embeds: Tensor, input_ids: Tensor, attention_mask: Tensor, labels: Tensor
    ) -> Seq2SeqLMOutput:
        """(B, D), (B, S), (B, S), (B, T) -> the mean loss of the next lines' tokens."""
        logits = prefixed_logits(self.t5, self.prefix(image_embeds), input_ids, attention_mask, labels)
        loss = cross_entropy(logits.transpose(1, 2).float(), labels, ignore_index=IGNORED)
        return Seq2SeqLMOutput(loss=loss, logits=logits)


def prefixed_logits(
    t5: T5ForConditionalGeneration, prefixes: Tensor, input_ids: Tensor, attention_mask: Tensor, labels: Tensor
) -> Tensor:
    """Prefixes (B, k, W) that learn, and a T5 that does not: (B, S), (B, S), (B, T) -> logits (B, T, V)."""
    with torch.no_grad():
        states = t5.encoder(input_ids, attention_mask=attention_mask).last_hidden_state  # (B, S, W)
    both, mask = behind(prefixes, BaseModelOutput(last_hidden_state=states), attention_mask)
    decoder_input_ids = t5.prepare_decoder_input_ids_from_labels(labels)
    return t5(encoder_outputs=both, attention_mask=mask, decoder_input_ids=decoder_input_ids).logits


class VerseLines(Dataset):
    """Examples: a picture, the lines of one of its quatrains so far, and the next line."""

    def __init__(self, data: PicturesWithVerse, tokenizer: PreTrainedTokenizerBase) -> None:
        self.image_embeds = torch.as_tensor(data.image_embeds, dtype=torch.float32)
        self.pad_token_id = tokenizer.pad_token_id
        pairs = (
            (source_text([], poem[:i], len(poem[i])), target_text(poem[i]))
            for poems in data.poems
            for poem in poems
            for i in range(len(poem) - data.told, len(poem))
        )
        rows = iter(tokenize(tokenizer, pairs))
        self.lines = [[next(rows) for _ in range(data.told * len(poems))] for poems in data.poems]

    def __len__(self) -> int:
        return len(self.lines)

    def __getitems__(self, pairs: list[Pair]) -> dict[str, Tensor]:
        """A picture's "captions" are the lines of its quatrains."""
        items = [self.lines[pair.picture][pair.caption] for pair in pairs]
        images = self.image_embeds[[pair.picture for pair in pairs]]
        return {"image_embeds": images, **collate(items, self.pad_token_id)}


class VersePrefixTask(Task):
    """The next line of verse that goes with a picture, from the picture and the lines so far."""

    def __init__(
        self, model: PrefixedWriter, tokenizer: PreTrainedTokenizerBase, train: PicturesWithVerse,
        val: PicturesWithVerse, config: CaptionTrainingConfig,
    ) -> None:  # fmt: skip
        self.model, self.config = model, config
        self.data, self.val = VerseLines(train, tokenizer), VerseLines(val, tokenizer)
        counts = [train.told * len(poems) for poems in train.poems]
        self.batches = PairBatches(counts, config.batch_size, config.captions_per_image, config.seed)

    def parameter_groups(self) -> list[dict]:
        return parameter_groups([(self.model.prefix.parameters(), self.config.lr)], self.config.weight_decay)

    def loss(self, outputs: Seq2SeqLMOutput) -> Tensor:
        return outputs.loss

    @torch.inference_mode()
    def validate(self) -> Figures:
        """The loss on other pictures, with their own vectors and with those of the next one."""
        self.model.eval()
        pairs = [Pair(picture, line, 0) for picture, lines in enumerate(self.val.lines) for line in range(len(lines))]
        own, other = [], []
        for start in range(0, len(pairs), self.config.batch_size):
            part = pairs[start : start + self.config.batch_size]
            batch = self.val.__getitems__(part)
            batch = {name: tensor.to(self.model.t5.device) for name, tensor in batch.items()}
            own.append(self.model(**batch).loss.item())
            others = [(pair.picture + 1) % len(self.val) for pair in part]
            batch["image_embeds"] = self.val.image_embeds[others].to(self.model.t5.device)
            other.append(self.model(**batch).loss.item())
        return {"loss, own picture": float(np.mean(own)), "another's": float(np.mean(other))}


def train_verse_prefix(
    writer: PoemWriter, train: PicturesWithVerse, val: PicturesWithVerse, config: CaptionTrainingConfig, folder: Path,
    *, prefix_length: int = 4, resume: bool = False, device: str = "auto",
) -> tuple[VersePrefix, Progress]:  # fmt: skip
    """Begin or go on with a run in `folder`, where the prefix ends up too; the poem model stays as it is."""
    accelerator = make_accelerator(device)
    width = writer.model.config.d_model
    prefix = VersePrefix(VersePrefixConfig(train.image_embeds.shape[1], width, prefix_length))
    prefix.centred.fit(train.image_embeds)
    settings = {
        "pictures": array_digest(train.image_embeds),
        "poems": digest(line for poems in train.poems for poem in poems for line in poem),
        "start": weights_digest(prefix),
        "writer": weights_digest(writer.model),
        **vars(config),
    }
    open_run(accelerator, folder, settings, resume)
    model = PrefixedWriter(prefix, writer, config.noise).to(accelerator.device)
    task = VersePrefixTask(model, writer.tokenizer, train, val, config)
    progress = fit_and_save(accelerator, task, config, folder, lambda: prefix.save_pretrained(folder))
    return prefix.eval(), progress
