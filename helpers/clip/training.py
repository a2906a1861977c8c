"""Training a CLIP: heads alone on stored features of frozen backbones, or everything; and what all runs share."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from torch.nn import functional as F

from helpers.chinese_clip import ImageTextEncoder
from helpers.clip.bundle import Bundle
from helpers.clip.features import cached_features
from helpers.clip.model import ProjectionHeads
from helpers.clip.pairs import FeaturePairs, PairBatches, PicturePairs
from helpers.clip.pretrained import CLIPBundle
from helpers.data import CaptionData, flatten, squashed
from helpers.metrics import recall_at_k
from helpers.options import TrainingConfig
from helpers.storage import digest, weights_digest
from helpers.training import Figures, Progress, fit, make_accelerator, open_run, parameter_groups

CROP_ROOM = 8 / 7  # pictures are kept a little larger than the model's, so that crops of them are not all enlarged


def train_heads(
    bundle: CLIPBundle, train: CaptionData, val: CaptionData, config: TrainingConfig, folder: Path,
    language: str = "en", resume: bool = False, device: str = "auto",
) -> Progress:  # fmt: skip
    """Train the projection heads and the temperature of `bundle` in place, and write it to `folder`.

    Both backbones are frozen, so each picture and each caption goes through them once, not once an epoch.
    """
    accelerator = make_accelerator(device)
    batches = pair_batches(train, language, config, accelerator)
    open_run(accelerator, folder, run_settings(accelerator, bundle, train, config, language, frozen=True), resume)
    size = bundle.config.image_size
    with accelerator.local_main_process_first():  # the others find it in the cache
        device, used = accelerator.device.type, config.captions_per_image
        train_features = cached_features(bundle, squashed(train, size), language, device, used)
        val_features = cached_features(bundle, squashed(val, size), language, device)
    heads = ProjectionHeads(bundle.model)

    def validate() -> Figures:
        return heads_recall(heads.eval(), *val_features)

    groups = parameter_groups([(heads.parameters(), config.head_lr)], config.weight_decay)
    progress = fit(accelerator, heads, groups, FeaturePairs(*train_features), batches, config, validate, folder)
    return finish(accelerator, bundle, progress, folder)


def fine_tune(
    bundle: CLIPBundle, train: CaptionData, val: CaptionData, config: TrainingConfig, folder: Path,
    language: str = "en", resume: bool = False, device: str = "auto",
) -> Progress:  # fmt: skip
    """Train all of `bundle` in place, backbones more gently than heads, and write it to `folder`.

    Best begun with heads that `train_heads` has trained: gradients through random heads would first spoil what the
    backbones know (Kumar et al. 2022, arXiv:2202.10054).
    """
    accelerator = make_accelerator(device)
    batches = pair_batches(train, language, config, accelerator)
    open_run(accelerator, folder, run_settings(accelerator, bundle, train, config, language, frozen=False), resume)
    size = bundle.config.image_size
    with accelerator.local_main_process_first():
        train, val = squashed(train, round(size * CROP_ROOM)), squashed(val, size)
    model = bundle.model.to(memory_format=torch.channels_last)
    if accelerator.device.type == "cpu":
        model.text.backbone.set_attn_implementation("eager")  # 1.6 times as fast to train there as sdpa
    groups = parameter_groups(
        [
            (model.image.backbone.parameters(), config.image_lr),
            (model.text.backbone.parameters(), config.text_lr),
            (ProjectionHeads(model).parameters(), config.head_lr),
        ],
        config.weight_decay,
    )
    texts, owners = flatten(val.in_language(language))

    def validate() -> Figures:
        encoder = ImageTextEncoder.of_bundle(bundle, accelerator.device.type)
        return as_figures(recall_at_k(encoder.encode_images(val.pictures), encoder.encode_texts(texts), owners))

    pairs = PicturePairs(bundle, train.pictures, train.in_language(language))
    workers = min(8, os.cpu_count() or 1)
    progress = fit(accelerator, model, groups, pairs, batches, config, validate, folder, workers=workers)
    return finish(accelerator, bundle, progress, folder)


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


def pair_batches(train: CaptionData, language: str, config: TrainingConfig, accelerator: Accelerator) -> PairBatches:
    """This process's share of the batches."""
    counts = [len(captions) for captions in train.in_language(language)]
    return PairBatches(
        counts, config.batch_size, config.captions_per_image, config.seed,
        accelerator.process_index, accelerator.num_processes,
    )  # fmt: skip


def run_settings(
    accelerator: Accelerator,
    bundle: Bundle,
    train: CaptionData,
    config: TrainingConfig,
    language: str,
    **more: object,
) -> dict:
    """Whatever the weights at the end depend on."""
    return {
        "data": train.source,
        "captions": digest(text for group in train.in_language(language) for text in group),
        "language": language,
        "tokenizer": digest([bundle.vocabulary()]),
        "preparation": bundle.preparation(),
        **more,
        "processes": accelerator.num_processes,
        "backbones": [weights_digest(tower.backbone) for tower in (bundle.model.image, bundle.model.text)],
        **asdict(config),
        **asdict(bundle.config),
    }


def finish(accelerator: Accelerator, bundle: Bundle, progress: Progress, folder: Path) -> Progress:
    """Write the trained model and its history."""
    if accelerator.is_main_process:
        bundle.model.to("cpu").eval()
        bundle.save(folder)
        (folder / "history.json").write_text(json.dumps(asdict(progress)) + "\n")
    accelerator.wait_for_everyone()
    return progress
