"""The training loop: AdamW with warm-up and cosine, on one device or on many, and resumable.

Accelerate knows about devices, number formats and processes; a `Task` knows what is trained.
"""

from __future__ import annotations

import json
import logging
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import InitProcessGroupKwargs, set_seed
from torch import nn
from torch.utils.data import DataLoader
from tqdm import tqdm
from transformers import get_cosine_schedule_with_warmup

from helpers.config import pick_device, pick_dtype
from helpers.options import LoopConfig
from helpers.training.runs import begin_run, check_resumable
from helpers.training.task import Figures, Task

CHECKPOINTS, PROGRESS = "checkpoints", "progress.json"
# Of a GPT-2, whose output is its embedding, a checkpoint keeps one copy. Accelerate warns of that each time.
logging.getLogger("accelerate.utils.other").setLevel(logging.ERROR)


@dataclass
class Progress:
    """The progress of a run; goes into every checkpoint."""

    step: int = 0
    losses: list[float] = field(default_factory=list)  # one a step
    epochs: list[Figures] = field(default_factory=list)  # one an epoch: its loss, and what `validate` returned


def make_accelerator(device: str = "auto", dtype: torch.dtype | None = None) -> Accelerator:
    """Mixed precision in `dtype` (default: see `pick_dtype`); more than one process if started by torchrun."""
    device = pick_device(device)
    formats = {torch.bfloat16: "bf16", torch.float16: "fp16", torch.float32: "no"}
    return Accelerator(
        cpu=device == "cpu",
        mixed_precision=formats[dtype or pick_dtype(device)],
        step_scheduler_with_optimizer=False,  # one step of it a batch, however many processes share that
        kwargs_handlers=[InitProcessGroupKwargs(timeout=timedelta(hours=6))],  # all wait while one encodes a whole set
    )


def parameter_groups(parts: Iterable[tuple[Iterable[nn.Parameter], float]], weight_decay: float) -> list[dict]:
    """(parameters, learning rate) -> AdamW's groups: matrices decay, biases, norms and the temperature do not."""
    groups = []
    for parameters, lr in parts:
        parameters = list(parameters)
        matrices, rest = ([p for p in parameters if (p.ndim > 1) == decays] for decays in (True, False))
        groups += [{"params": matrices, "lr": lr, "weight_decay": weight_decay}, {"params": rest, "lr": lr}]
    return [{"weight_decay": 0.0, **group} for group in groups if group["params"]]


def fit(accelerator: Accelerator, task: Task, config: LoopConfig, folder: Path) -> Progress:
    """Train `task.model` from the last checkpoint in `folder` if there is one.

    Returns the losses of all steps and, on the main process, the figures of all epochs, also those before a restart.
    """
    batches = task.batches
    optimizer = torch.optim.AdamW(task.parameter_groups(), fused=True)
    total = config.epochs * len(batches)
    schedule = get_cosine_schedule_with_warmup(optimizer, round(config.warmup * total), total)
    model, optimizer, schedule = accelerator.prepare(task.model, optimizer, schedule)
    set_seed(config.seed, device_specific=True)  # each process draws its own dropout
    progress = load_latest(accelerator, folder)

    def learn(batch: dict[str, torch.Tensor]) -> float:
        batch = {name: tensor.to(accelerator.device, non_blocking=True) for name, tensor in batch.items()}
        loss = task.loss(model(**batch))
        optimizer.zero_grad()
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(model.parameters(), config.max_grad_norm)
        optimizer.step()
        schedule.step()
        task.after_step()
        return loss.item()

    loader = make_loader(task, accelerator.device)
    bar = tqdm(total=total, initial=progress.step, unit="step", disable=not accelerator.is_main_process)
    while progress.step < total:
        epoch, done = divmod(progress.step, len(batches))
        batches.start_at(epoch, skip=done)
        model.train()
        for batch in loader:
            progress.losses.append(learn(batch))
            progress.step += 1
            bar.update()
            bar.set_postfix(loss=f"{progress.losses[-1]:.3f}", **_shown(progress))
            if progress.step % config.save_every == 0 and progress.step % len(batches):
                save(accelerator, folder, progress)
        if accelerator.is_main_process:
            mean = sum(progress.losses[-len(batches) :]) / len(batches)
            progress.epochs.append({"loss": mean, **task.validate()})
            bar.set_postfix(loss=f"{mean:.3f}", **_shown(progress))
        save(accelerator, folder, progress)
    bar.close()
    accelerator.unwrap_model(model, keep_fp32_wrapper=False)  # gives the model its own forward back
    return progress


def fit_and_save(
    accelerator: Accelerator, task: Task, config: LoopConfig, folder: Path, save_model: Callable[[], None]
) -> Progress:
    """`fit`, then the trained model and its history in `folder`, written by the main process while the others wait."""
    progress = fit(accelerator, task, config, folder)
    if accelerator.is_main_process:
        save_model()
        (folder / "history.json").write_text(json.dumps(asdict(progress)) + "\n")
    accelerator.wait_for_everyone()
    return progress


def make_loader(task: Task, device: torch.device) -> DataLoader:
    """Batches as the dataset's `__getitems__` makes them; workers only where they get no copy of model and pictures."""
    workers = task.workers if device.type == "cuda" and sys.platform == "linux" else 0
    return DataLoader(
        task.data,
        batch_sampler=task.batches,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=device.type == "cuda",
        collate_fn=lambda batch: batch,
        generator=torch.Generator(),  # else it would draw a number from torch's own, and a restart would show
    )


def _shown(progress: Progress) -> dict[str, str]:
    """Text of the progress bar besides the loss: the first figure of the last epoch."""
    figures = {name: value for name, value in (progress.epochs or [{}])[-1].items() if name != "loss"}
    return {name: f"{value:.1f}" for name, value in list(figures.items())[:1]}


def save(accelerator: Accelerator, folder: Path, progress: Progress) -> None:
    """Write weights, optimizer, schedule, random states and progress; only a whole checkpoint gets its name."""
    place = folder / CHECKPOINTS / f"step_{progress.step:07d}"
    unfinished = place.with_suffix(".new")
    accelerator.save_state(str(unfinished))
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        (unfinished / PROGRESS).write_text(json.dumps(asdict(progress)), encoding="utf-8")
        older = checkpoints(folder)
        unfinished.rename(place)
        for path in older:
            shutil.rmtree(path)
    accelerator.wait_for_everyone()


def load_latest(accelerator: Accelerator, folder: Path) -> Progress:
    """Go on from the last whole checkpoint, or begin."""
    found = checkpoints(folder)
    if not found:
        return Progress()
    accelerator.load_state(str(found[-1]))
    return Progress(**json.loads((found[-1] / PROGRESS).read_text(encoding="utf-8")))


def checkpoints(folder: Path) -> list[Path]:
    """Whole checkpoints, the oldest first."""
    return sorted((folder / CHECKPOINTS).glob("step_???????"))


def open_run(accelerator: Accelerator, folder: Path, settings: dict, resume: bool) -> None:
    """Begin or resume a run in `folder`. Raises ValueError where this would lose or mix up something.

    `settings` are whatever makes two runs the same run; they are kept in run.json.
    """
    if checkpoints(folder):
        check_resumable(folder, settings, resume)
    elif accelerator.is_main_process:
        begin_run(folder, settings)
