"""How long, how fast and in which portions to train. By itself, so that the command line can show it at once."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingConfig:
    """For a CLIP: how long, how fast, and in which portions."""

    epochs: int = 3
    batch_size: int = 128  # pairs a step, over all processes: each of them has all others as negatives
    captions_per_image: int = 2
    chunk_size: int | None = None  # pairs encoded at a time, if the batch does not fit the memory
    head_lr: float = 1e-3
    image_lr: float = 1e-4
    text_lr: float = 5e-5
    weight_decay: float = 0.1
    warmup: float = 0.1  # of all steps
    max_grad_norm: float = 1.0
    save_every: int = 200  # steps
    seed: int = 0


@dataclass(frozen=True)
class PoemTrainingConfig:
    """For the poem model."""

    steps: int = 600
    batch_size: int = 64  # pairs at a time
    accumulate: int = 1  # batches whose gradients are added up before a step
    lr: float = 7e-4
    warmup: float = 0.1  # of all steps; then down along a cosine
    weight_decay: float = 0.01
    evaluate_every: int = 100  # steps; also a checkpoint
    patience: int = 3  # evaluations without a better loss, after which it stops
    seed: int = 0
