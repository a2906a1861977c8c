"""Training a CLIP: our loops against the plain ones of published tutorials, on the same pictures in one run.

    python -m benchmarks.clip --data data/flickr8k --image-weights resnet34.safetensors --text-model DIR

Frozen towers: a loop that runs both towers for every batch of every epoch, in float32 (`plain`) and in the number and
memory format that we use (`plain_fast`), against heads on stored features (`ours`, the storing included in `seconds`).
Fine-tuning: the plain loop against ours. The plain loops get what is free of charge: no gradients through frozen
towers, padding to the longest caption only. Each runs in a process of its own, one after the other, so that its
peak memory is its own. `matmul_share`: floating-point operations a second over those of a large matrix product in the
same number format on the same device. One JSON object on standard output.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.timing import peak_mib, timed
from helpers.clip import (
    ContrastiveTask,
    FineTuneTask,
    FrozenTask,
    PairBatches,
    ProjectionHeads,
    contrastive_loss,
    from_backbones,
)
from helpers.clip import Setting as ClipSetting
from helpers.config import pick_device, pick_dtype, seed_everything
from helpers.data import Splits, load_captions
from helpers.options import TrainingConfig
from helpers.training import fit, make_accelerator

Figures = dict[str, float]


class Setting:
    """The model, the data and the batches, the same for all loops."""

    def __init__(self, args: argparse.Namespace, image_size: int) -> None:
        seed_everything(0)
        self.device = pick_device()
        self.data = load_captions(args.data, "train").first(args.pictures)
        self.model, self.processor = from_backbones(args.image_weights, args.text_model, image_size)
        self.config = TrainingConfig(epochs=args.epochs, batch_size=args.batch_size, captions_per_image=2)
        counts = [len(captions) for captions in self.data.captions]
        self.batches = PairBatches(counts, args.batch_size, self.config.captions_per_image, seed=0)

    def plain_batches(self, epoch: int) -> Iterator[dict[str, torch.Tensor]]:
        """Decoded and tokenized again each time, as a Dataset does that opens the file in __getitem__."""
        self.batches.start_at(epoch)
        for pairs in self.batches:
            pixels = self.processor.pixel_values([self.data.pictures[pair.picture] for pair in pairs]).contiguous()
            tokens = self.processor.tokens([self.data.captions[pair.picture][pair.caption] for pair in pairs])
            yield {name: tensor.to(self.device) for name, tensor in {"pixel_values": pixels, **tokens}.items()}


def frozen_plain(setting: Setting, fast: bool) -> Figures:
    """Both towers for every batch; gradients only for the heads."""
    model = setting.model.to(setting.device).train()
    if fast:
        model.to(memory_format=torch.channels_last)
    heads = ProjectionHeads(model)
    optimizer = torch.optim.AdamW(heads.parameters(), lr=setting.config.head_lr)
    dtype = pick_dtype(setting.device)

    def epoch(number: int) -> None:
        for batch in setting.plain_batches(number):
            with torch.no_grad(), torch.autocast(setting.device, dtype, enabled=fast):
                image_features = model.image.features(batch.pop("pixel_values"))
                text_features = model.text.features(**batch)
            embeds = heads(image_features.float(), text_features.float())
            step(optimizer, contrastive_loss(*embeds, heads.logit_scale))

    return timed_epochs(epoch, setting)


def frozen_ours(setting: Setting) -> Figures:
    """The features of every picture and caption once, and then the heads on them."""
    return timed_task(setting, FrozenTask)


def fine_tuning_plain(setting: Setting) -> Figures:
    """Everything in float32 and torch's usual memory format."""
    model = setting.model.to(setting.device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=setting.config.text_lr)

    def epoch(number: int) -> None:
        for batch in setting.plain_batches(number):
            step(optimizer, contrastive_loss(*model(**batch), model.logit_scale))

    return timed_epochs(epoch, setting)


def fine_tuning_ours(setting: Setting) -> Figures:
    """`helpers.clip.fine_tune` without its validation."""
    figures = timed_task(setting, FineTuneTask)
    return figures | matmul_share(setting, figures)


def timed_task(setting: Setting, task_class: type[ContrastiveTask]) -> Figures:
    """A task of ours: what it computes beforehand, then an epoch at a time, measured by its (empty) validation."""
    ends: list[float] = []

    class TimedTask(task_class):
        def validate(self) -> dict[str, float]:
            ends.append(time.perf_counter())
            return {}

    splits = Splits(setting.data, setting.data.first(1))
    started = time.perf_counter()
    task = TimedTask(
        ClipSetting(setting.model, setting.processor, splits, setting.config, setting.device, setting.batches)
    )
    ends.append(time.perf_counter())
    caching = ends[0] - started
    with tempfile.TemporaryDirectory() as folder:
        fit(make_accelerator(), task, setting.config, Path(folder))
        ends[-1] = time.perf_counter()  # the last checkpoint is part of the work
    figures = epoch_figures(np.diff(ends), setting)
    return figures | {"caching_seconds": caching, "seconds": figures["seconds"] + caching}


def step(optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def timed_epochs(epoch: Callable[[int], None], setting: Setting) -> Figures:
    return epoch_figures([timed(partial(epoch, number))[0] for number in range(setting.config.epochs)], setting)


def epoch_figures(seconds: list[float], setting: Setting) -> Figures:
    """Of the median epoch: the first one also warms up."""
    pairs = len(setting.batches) * setting.config.batch_size
    typical = float(np.median(seconds))
    return {"seconds": float(sum(seconds)), "epoch_seconds": typical, "pairs_per_second": pairs / typical}


def matmul_share(setting: Setting, figures: Figures) -> Figures:
    """Floating-point operations a second of the training steps over those of a large matrix product."""
    model, dtype = setting.model, pick_dtype(setting.device)
    batch = next(setting.plain_batches(0))
    model.to(setting.device)
    with FlopCounterMode(display=False) as counter, torch.autocast(setting.device, dtype):
        contrastive_loss(*model(**batch), model.logit_scale).backward()
    rate = counter.get_total_flops() / setting.config.batch_size * figures["pairs_per_second"]
    return {"tflops": rate / 1e12, "matmul_share": rate / matmul_rate(setting.device, dtype)}


def matmul_rate(device: str, dtype: torch.dtype, side: int = 4096, repeats: int = 5) -> float:
    """Operations a second of a product of two square matrices, the best of a few."""
    a, b = torch.randn(2, side, side, device=device, dtype=dtype)
    return 2 * side**3 / min(timed(lambda: a @ b)[0] for _ in range(repeats))


LOOPS: dict[str, tuple[str, Callable[[Setting], Figures]]] = {
    "frozen_plain": ("frozen_size", lambda setting: frozen_plain(setting, fast=False)),
    "frozen_plain_fast": ("frozen_size", lambda setting: frozen_plain(setting, fast=True)),
    "frozen_ours": ("frozen_size", frozen_ours),
    "fine_tuning_plain": ("fine_tuning_size", fine_tuning_plain),
    "fine_tuning_ours": ("fine_tuning_size", fine_tuning_ours),
}


def measure(name: str, args: argparse.Namespace) -> Figures:
    """One loop, in a process and with a cache of its own."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["IMAGE_TO_POEM_CACHE"] = folder
        size, loop = LOOPS[name]
        setting = Setting(args, getattr(args, size))
        figures = loop(setting)
        return {**{k: round(v, 4) for k, v in figures.items()}, "peak_MiB": peak_mib()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="as for `python -m helpers train clip`")
    parser.add_argument("--image-weights", default="imagenet")
    parser.add_argument("--text-model", default="distilbert/distilbert-base-multilingual-cased")
    parser.add_argument("--pictures", type=int, default=384)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--frozen-size", type=int, default=224, help="pixels")
    parser.add_argument("--fine-tuning-size", type=int, default=128, help="pixels")
    args = parser.parse_args()

    figures = {}
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=spawn, max_tasks_per_child=1) as processes:
        for name in LOOPS:
            figures[name] = processes.submit(measure, name, args).result()
            print(name, figures[name], file=sys.stderr)
    plain, fast, ours = (figures[f"frozen_{name}"] for name in ("plain", "plain_fast", "ours"))
    tuned, tuned_ours = figures["fine_tuning_plain"], figures["fine_tuning_ours"]
    ratios = {
        "epoch_after_caching": plain["epoch_seconds"] / ours["epoch_seconds"],
        "all_epochs_with_caching": plain["seconds"] / ours["seconds"],
        "epoch_after_caching_same_format": fast["epoch_seconds"] / ours["epoch_seconds"],
        "all_epochs_with_caching_same_format": fast["seconds"] / ours["seconds"],
        "fine_tuning_epoch": tuned["epoch_seconds"] / tuned_ours["epoch_seconds"],
    }
    ratios = {name: round(ratio, 2) for name, ratio in ratios.items()}
    print(json.dumps({"threads": torch.get_num_threads(), **figures, "ratios": ratios}, indent=1))


if __name__ == "__main__":
    main()
