"""Locked-image tuning: a text tower learns to meet an image tower that does not move.

LiT: Zhai et al. 2022 (arXiv:2111.07991). Since the image tower is locked, each picture goes through it once, and what
an epoch costs is the text tower alone.
"""

from __future__ import annotations

from pathlib import Path

from helpers.chinese_clip.bert_clip import BertCLIPBundle
from helpers.clip import (
    LockedCLIP,
    LockedPairs,
    ProjectionHeads,
    cached_image_features,
    finish,
    heads_recall,
    pair_batches,
    run_settings,
    text_features,
)
from helpers.data import CaptionData, flatten
from helpers.options import TrainingConfig
from helpers.training import Figures, Progress, fit, make_accelerator, open_run, parameter_groups


def train_lit(
    bundle: BertCLIPBundle, train: CaptionData, val: CaptionData, config: TrainingConfig, folder: Path,
    language: str = "zh", resume: bool = False, device: str = "auto",
) -> Progress:  # fmt: skip
    """Train the BERT, both heads and the temperature of `bundle` in place, and write it to `folder`."""
    accelerator = make_accelerator(device)
    batches = pair_batches(train, language, config, accelerator)
    open_run(accelerator, folder, run_settings(accelerator, bundle, train, config, language, locked=True), resume)
    with accelerator.local_main_process_first():  # the others find it in the cache
        train_images, val_images = (
            cached_image_features(bundle, data, accelerator.device.type) for data in (train, val)
        )
    model, bert = LockedCLIP(bundle.model), bundle.model.text.backbone
    if accelerator.device.type == "cpu":
        bert.set_attn_implementation("eager")  # 1.6 times as fast to train there as sdpa
    heads = ProjectionHeads(bundle.model)
    texts, owners = flatten(val.in_language(language))

    def validate() -> Figures:
        text_embeds = text_features(bundle, texts, accelerator.device.type)
        return heads_recall(heads.eval(), val_images, text_embeds, owners)

    groups = parameter_groups(
        [(bert.parameters(), config.text_lr), (heads.parameters(), config.head_lr)], config.weight_decay
    )
    pairs = LockedPairs(bundle, train_images, train.in_language(language))
    progress = fit(accelerator, model, groups, pairs, batches, config, validate, folder)
    return finish(accelerator, bundle, progress, folder)
