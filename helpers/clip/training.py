"""Training a CLIP: heads alone on stored features of frozen backbones, or everything; and what all such runs share."""

from __future__ import annotations

import json
import os
from abc import abstractmethod
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn
from torch.nn import functional as F

from helpers.clip.features import cached_features, embed_pairs
from helpers.clip.model import MAX_LOGIT_SCALE, CustomCLIP, ProjectionHeads, contrastive_loss
from helpers.clip.pairs import FeaturePairs, PairBatches, PicturePairs
from helpers.clip.pretrained import save_clip
from helpers.clip.processor import ImageTextProcessor, tokenizer_json
from helpers.data import Splits, flatten, squashed
from helpers.metrics import recall_at_k
from helpers.options import TrainingConfig
from helpers.storage import digest, weights_digest
from helpers.training import (
    Figures,
    InChunks,
    Progress,
    Task,
    fit_and_save,
    gather_embeds,
    make_accelerator,
    open_run,
    parameter_groups,
)

CROP_ROOM = 8 / 7  # pictures are kept a little larger than the model's, so that crops of them are not all enlarged


@dataclass(frozen=True)
class Setting:
    """A CLIP and the pairs that it is to learn from; `device` is "cuda", "mps" or "cpu"."""

    clip: CustomCLIP
    processor: ImageTextProcessor
    splits: Splits
    config: TrainingConfig
    device: str
    batches: PairBatches


class ContrastiveTask(Task):
    """Pairs of pictures and captions under the symmetric contrastive loss.

    `mode` goes into the run's settings. A subclass says which part of the CLIP learns, and what it sees of the pairs.
    """

    mode: dict[str, bool]

    def __init__(self, setting: Setting) -> None:
        self.setting, self.batches = setting, setting.batches
        self.logit_scale = setting.clip.logit_scale
        model, chunk_size = self.prepare(), setting.config.chunk_size
        self.model = InChunks(model, chunk_size) if chunk_size else model

    @abstractmethod
    def prepare(self) -> nn.Module:
        """Make the data ready, and hand over the part that learns: (**batch) -> two embeddings (B, D) of unit norm."""

    @abstractmethod
    def rates(self) -> list[tuple]:
        """(parameters, learning rate) of each part."""

    def parameter_groups(self) -> list[dict]:
        return parameter_groups(self.rates(), self.setting.config.weight_decay)

    def loss(self, outputs: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        """Embeddings (B, D) of this process's pairs -> the loss over the pairs of all processes."""
        return contrastive_loss(*map(gather_embeds, outputs), self.logit_scale)

    def after_step(self) -> None:
        self.logit_scale.data.clamp_(max=MAX_LOGIT_SCALE)


class FrozenTask(ContrastiveTask):
    """The heads and the temperature learn, on features that are computed once."""

    mode = {"frozen": True}

    def prepare(self) -> nn.Module:
        s, size = self.setting, self.setting.processor.image_processor.size
        model, used = (s.clip, s.processor), s.config.captions_per_image
        train, val = squashed(s.splits.train, size), squashed(s.splits.val, size)
        self.data = FeaturePairs(*cached_features(*model, train, s.splits.language, s.device, used))
        self.held_out = cached_features(*model, val, s.splits.language, s.device)
        self.heads = ProjectionHeads(s.clip)
        return self.heads

    def rates(self) -> list[tuple]:
        return [(self.heads.parameters(), self.setting.config.head_lr)]

    def validate(self) -> Figures:
        return heads_recall(self.heads.eval(), *self.held_out)


class FineTuneTask(ContrastiveTask):
    """Everything learns, backbones more gently than heads."""

    mode = {"frozen": False}
    workers = min(8, os.cpu_count() or 1)

    def prepare(self) -> nn.Module:
        s, size = self.setting, self.setting.processor.image_processor.size
        train, self.held_out = squashed(s.splits.train, round(size * CROP_ROOM)), squashed(s.splits.val, size)
        self.data = PicturePairs(s.processor, train.pictures, train.in_language(s.splits.language))
        if s.device == "cpu":
            s.clip.text.backbone.set_attn_implementation("eager")  # 1.6 times as fast to train there as sdpa
        return s.clip.to(memory_format=torch.channels_last)

    def rates(self) -> list[tuple]:
        clip, config = self.setting.clip, self.setting.config
        return [
            (clip.image.backbone.parameters(), config.image_lr),
            (clip.text.backbone.parameters(), config.text_lr),
            (ProjectionHeads(clip).parameters(), config.head_lr),
        ]

    def validate(self) -> Figures:
        s = self.setting
        texts, owners = flatten(self.held_out.in_language(s.splits.language))
        images, texts = embed_pairs(s.clip.eval(), s.processor, self.held_out.pictures, texts, s.device)
        return as_figures(recall_at_k(images, texts, owners))


def train_heads(
    clip: CustomCLIP,
    processor: ImageTextProcessor,
    splits: Splits,
    config: TrainingConfig,
    folder: Path,
    **options: object,
) -> Progress:
    """Train the projection heads and the temperature of `clip` in place, and write it to `folder`.

    Both backbones are frozen, so each picture and each caption goes through them once, not once an epoch. `options`
    are those of `run_task`.
    """
    return run_task(FrozenTask, clip, processor, splits, config, folder, **options)


def fine_tune(
    clip: CustomCLIP,
    processor: ImageTextProcessor,
    splits: Splits,
    config: TrainingConfig,
    folder: Path,
    **options: object,
) -> Progress:
    """Train all of `clip` in place, and write it to `folder`; `options` are those of `run_task`.

    Best begun with heads that `train_heads` has trained: gradients through random heads would first spoil what the
    backbones know (Kumar et al. 2022, arXiv:2202.10054).
    """
    return run_task(FineTuneTask, clip, processor, splits, config, folder, **options)


def run_task(
    task_class: type[ContrastiveTask],
    clip: CustomCLIP,
    processor: ImageTextProcessor,
    splits: Splits,
    config: TrainingConfig,
    folder: Path,
    *,
    resume: bool = False,
    device: str = "auto",
    dtype: torch.dtype | None = None,
) -> Progress:
    """Begin or, with `resume`, go on with a run in `folder`, where the trained model ends up too.

    `dtype`: of the heavy layers while they learn (default: see `pick_dtype`). Raises ValueError where going on would
    lose or mix up something.
    """
    accelerator = make_accelerator(device, dtype)
    setting = Setting(
        clip, processor, splits, config, accelerator.device.type, pair_batches(splits, config, accelerator)
    )
    open_run(accelerator, folder, run_settings(setting, accelerator.num_processes) | task_class.mode, resume)
    with accelerator.local_main_process_first():  # the others find features and pictures in the cache
        task = task_class(setting)
    return fit_and_save(accelerator, task, config, folder, lambda: save_clip(clip.to("cpu").eval(), processor, folder))


def pair_batches(splits: Splits, config: TrainingConfig, accelerator: Accelerator) -> PairBatches:
    """This process's share of the batches."""
    counts = [len(captions) for captions in splits.train.in_language(splits.language)]
    return PairBatches(
        counts, config.batch_size, config.captions_per_image, config.seed,
        accelerator.process_index, accelerator.num_processes,
    )  # fmt: skip


def run_settings(setting: Setting, processes: int) -> dict:
    """All that the weights at the end depend on."""
    clip, processor, splits = setting.clip, setting.processor, setting.splits
    network = clip.config
    return {
        "data": splits.train.source,
        "captions": digest(text for group in splits.train.in_language(splits.language) for text in group),
        "language": splits.language,
        "tokenizer": digest([tokenizer_json(processor.tokenizer), str(processor.max_length)]),
        "preparation": processor.preparation(),
        "processes": processes,
        "backbones": [weights_digest(tower.backbone) for tower in (clip.image, clip.text)],
        "towers": [json.loads(tower.to_json_string()) for tower in (network.vision_config, network.text_config)],
        **{name: getattr(network, name) for name in ("dim", "pooling", "dropout")},
        "unit_features": network.locked,
        **asdict(setting.config),
    }


@torch.inference_mode()
def heads_recall(
    heads: ProjectionHeads, image_features: np.ndarray, text_features: np.ndarray, owners: np.ndarray
) -> Figures:
    """recall@k from stored features (N, 2, F), (M, F); a picture's embedding is the mean over its mirror image's."""
    device = heads.logit_scale.device
    views = F.normalize(heads.image(torch.from_numpy(image_features).to(device)), dim=-1)  # (N, 2, D)
    images = F.normalize(views.mean(1), dim=-1)
    texts = F.normalize(heads.text(torch.from_numpy(text_features).to(device)), dim=-1)  # (M, D)
    return as_figures(recall_at_k(images.float().cpu().numpy(), texts.float().cpu().numpy(), owners))


def as_figures(recall: dict[str, dict[int, float]]) -> Figures:
    """{"text_to_image": {1: ...}} -> {"t2i R@10": ..., ...}: the flat names of a progress bar and a log."""
    short = {"text_to_image": "t2i", "image_to_text": "i2t"}
    return {f"{short[way]} R@{k}": value for way, values in recall.items() for k, value in reversed(values.items())}
