"""Locked-image tuning: a text tower learns to meet an image tower that does not move.

LiT: Zhai et al. 2022 (arXiv:2111.07991). Since the image tower is locked, each picture goes through it once, and an
epoch costs no more than the text tower does.
"""

from __future__ import annotations

from pathlib import Path

from torch import nn

from helpers.clip import (
    ContrastiveTask,
    CustomCLIP,
    ImageTextProcessor,
    LockedCLIP,
    LockedPairs,
    ProjectionHeads,
    cached_image_features,
    heads_recall,
    run_task,
    text_features,
)
from helpers.data import Splits, flatten
from helpers.options import TrainingConfig
from helpers.training import Figures, Progress


class LockedTask(ContrastiveTask):
    """The text tower, both heads and the temperature learn, on stored features of the pictures."""

    mode = {"locked": True}

    def prepare(self) -> nn.Module:
        s, model = self.setting, (self.setting.clip, self.setting.processor)
        train_images, self.held_out = (
            cached_image_features(*model, data, s.device) for data in (s.splits.train, s.splits.val)
        )
        self.data = LockedPairs(s.processor, train_images, s.splits.train.in_language(s.splits.language))
        if s.device == "cpu":
            s.clip.text.backbone.set_attn_implementation("eager")  # 1.6 times as fast to train there as sdpa
        self.heads = ProjectionHeads(s.clip)
        return LockedCLIP(s.clip)

    def rates(self) -> list[tuple]:
        config = self.setting.config
        bert = self.setting.clip.text.backbone
        return [(bert.parameters(), config.text_lr), (self.heads.parameters(), config.head_lr)]

    def validate(self) -> Figures:
        s = self.setting
        texts, owners = flatten(s.splits.val.in_language(s.splits.language))
        features = text_features(s.clip, s.processor, texts, s.device)
        return heads_recall(self.heads.eval(), self.held_out, features, owners)


def train_lit(
    clip: CustomCLIP,
    processor: ImageTextProcessor,
    splits: Splits,
    config: TrainingConfig,
    folder: Path,
    **options: object,
) -> Progress:
    """Train the BERT, both heads and the temperature of `clip` in place, and write it to `folder`.

    `options` are those of `run_task`.
    """
    return run_task(LockedTask, clip, processor, splits, config, folder, **options)
