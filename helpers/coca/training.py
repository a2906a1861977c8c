"""Training a CoCa on stored embeddings, with both of its losses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from torch.utils.data import Dataset
from transformers import PreTrainedTokenizerBase

from helpers.captioning import LONGEST, CaptionedEmbeds, Captioner, CaptionTask, train_captioner
from helpers.clip import Pair
from helpers.coca.beams import open_clip
from helpers.coca.model import FeatureCoCa, FeatureCoCaConfig
from helpers.data import flatten
from helpers.metrics import recall_of_scores
from helpers.options import CoCaTrainingConfig
from helpers.poems import character_tokenizer
from helpers.training import Figures

BEGIN = "<s>"
BATCH = 256  # texts encoded at a time


def new_coca(train: CaptionedEmbeds, **settings: object) -> tuple[FeatureCoCa, PreTrainedTokenizerBase]:
    """An untrained CoCa for these pictures, over the characters of their captions.

    `settings`: further arguments of `FeatureCoCaConfig`; its context holds the longest of the captions.
    """
    texts, _ = flatten(train.captions)
    settings = {"context_length": min(max(map(len, texts)) + 2, LONGEST), **settings}
    characters = sorted({char for text in texts for char in text})
    tokenizer = character_tokenizer([BEGIN, *characters])
    tokenizer.add_special_tokens({"bos_token": BEGIN})
    config = FeatureCoCaConfig(
        len(tokenizer), train.image_embeds.shape[1],
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
        **settings,
    )  # fmt: skip
    model = FeatureCoCa(config)
    model.centred.fit(train.image_embeds)
    return model, tokenizer


def encode(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], length: int) -> torch.Tensor:
    """N texts -> (N, length): begin, characters, end, pads."""
    rows = tokenizer(list(texts), add_special_tokens=False, truncation=True, max_length=length - 2)["input_ids"]
    ids = torch.full((len(rows), length), tokenizer.pad_token_id)
    for line, row in zip(ids, rows, strict=True):
        line[: len(row) + 2] = torch.tensor([tokenizer.bos_token_id, *row, tokenizer.eos_token_id])
    return ids


class CoCaPairs(Dataset):
    """Examples: the embedding of a picture, and one of its captions with its begin, as long as the context."""

    def __init__(self, data: CaptionedEmbeds, tokenizer: PreTrainedTokenizerBase, length: int) -> None:
        self.image_embeds = torch.as_tensor(data.image_embeds, dtype=torch.float32)
        rows = iter(encode(tokenizer, flatten(data.captions)[0], length))
        self.tokens = [[next(rows) for _ in group] for group in data.captions]

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitems__(self, pairs: list[Pair]) -> dict[str, torch.Tensor]:
        """image_embeds (B, D), input_ids (B, T)."""
        return {
            "image_embeds": self.image_embeds[[pair.picture for pair in pairs]],
            "input_ids": torch.stack([self.tokens[pair.picture][pair.caption] for pair in pairs]),
        }


class CoCaTask(CaptionTask):
    """To find the caption among those of the batch, and to write it."""

    def __init__(
        self, captioner: Captioner, train: CaptionedEmbeds, val: CaptionedEmbeds, config: CoCaTrainingConfig,
        rank: int = 0, world: int = 1,
    ) -> None:  # fmt: skip
        """ValueError for more than one process: each would find its captions among its own alone."""
        if world > 1:
            raise ValueError("a CoCa is trained by one process: start it without torchrun")
        super().__init__(captioner, train, val, config)
        pad = captioner.tokenizer.pad_token_id
        self.both = open_clip.CoCaLoss(config.caption_weight, config.contrastive_weight, pad_id=pad)

    def pairs(self, train: CaptionedEmbeds) -> CoCaPairs:
        return CoCaPairs(train, self.captioner.tokenizer, self.captioner.model.config.context_length)

    def loss(self, outputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """lambda_con * InfoNCE + lambda_cap * cross-entropy (section 3.2, equation 4)."""
        return sum(self.both(**outputs))

    @torch.no_grad()
    def after_step(self) -> None:
        """Keep the temperature above a hundredth, as CLIP does (Radford et al. 2021, section 2.5)."""
        self.captioner.model.coca.logit_scale.clamp_(0, math.log(100))

    def validate(self) -> Figures:
        """Of the likeliest captions of the held-out pictures, and of finding one by the other."""
        return {"CIDEr": super().validate()["CIDEr"], **retrieval(self.captioner, self.val)}


@torch.inference_mode()
def shared_space(captioner: Captioner, data: CaptionedEmbeds) -> tuple[np.ndarray, np.ndarray]:
    """N pictures and M captions, all of them, where the CoCa finds one by the other: (N, E), (M, E), of length 1."""
    model, device = captioner.model, captioner.model.device
    images = model.coca.encode_image(torch.as_tensor(data.image_embeds, dtype=torch.float32, device=device))
    ids = encode(captioner.tokenizer, flatten(data.captions)[0], model.config.context_length).to(device)
    texts = torch.cat([model.coca.encode_text(block) for block in ids.split(BATCH)])
    return images.float().cpu().numpy(), texts.float().cpu().numpy()


def retrieval(captioner: Captioner, data: CaptionedEmbeds, ks: Sequence[int] = (1, 10)) -> dict[str, float]:
    """Recall in per cent: of pictures by their captions (t2i), and of any caption of a picture by that (i2t)."""
    images, texts = shared_space(captioner, data)
    owners = np.repeat(np.arange(len(images)), [len(group) for group in data.captions])  # (M,)
    scores, right = texts @ images.T, owners[:, None] == np.arange(len(images))  # (M, N)
    i2t, t2i = recall_of_scores(scores.T, right.T, ks), recall_of_scores(scores, right, ks)
    return {f"i2t R@{k}": i2t[k] for k in ks} | {f"t2i R@{k}": t2i[k] for k in ks}


train_coca = partial(train_captioner, task_class=CoCaTask)
