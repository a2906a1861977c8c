"""A training task: the model, its loss, its batches and its figures. The loop asks for nothing else."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Protocol

import torch
from torch import nn
from torch.utils.data import Dataset

Figures = dict[str, float]


class Batches(Protocol):
    """A batch sampler that can begin in the middle of an epoch, so that a resumed run goes on where it was."""

    def __len__(self) -> int:
        """Batches in a whole epoch."""

    def start_at(self, epoch: int, skip: int = 0) -> None:
        """The next iteration is that of `epoch`, without its first `skip` batches."""

    def __iter__(self) -> Iterator[list]: ...


class Task(ABC):
    """One system to train: a CLIP, a captioner, a writer that is rewarded.

    Attributes:
        model: called with a batch's columns as keyword arguments; the loop moves it to its device.
        data: makes batches of what `batches` names (`__getitems__`).
        batches: which examples come together, and in which order.
        workers: processes that prepare batches, worth their start only where that takes longer than indexing.
    """

    model: nn.Module
    data: Dataset
    batches: Batches
    workers: int = 0

    @abstractmethod
    def parameter_groups(self) -> list[dict]:
        """AdamW's groups: which parameters learn, how fast, and which decay; see `parameter_groups`."""

    @abstractmethod
    def loss(self, outputs: object) -> torch.Tensor:
        """The model's outputs for a batch -> the loss, a scalar."""

    @abstractmethod
    def validate(self) -> Figures:
        """Figures on held-out data, the most telling one first; asked for on the main process after each epoch."""

    def after_step(self) -> None:  # noqa: B027 - not every task has something to do then
        """Called when the optimizer has taken a step."""
