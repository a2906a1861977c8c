"""The small training loop, with checkpoints: model, optimizer, schedule, random state and step, replaced atomically."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from helpers.clip import MAX_LOGIT_SCALE

NAME = "checkpoint.pt"


def save_checkpoint(folder: Path, step: int, model, optimizer, schedule) -> None:
    """Write `folder`/checkpoint.pt; a kill in the middle leaves the one before."""
    state = {"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict(),
             "schedule": schedule.state_dict(), "rng": torch.get_rng_state()}  # fmt: skip
    torch.save(state, folder / f"{NAME}.new")
    (folder / f"{NAME}.new").replace(folder / NAME)


def load_checkpoint(folder: Path, model, optimizer, schedule) -> int:
    """Go on from the last checkpoint in `folder`: its step, or 0 if there is none."""
    if not (folder / NAME).exists():
        return 0
    state = torch.load(folder / NAME, weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    schedule.load_state_dict(state["schedule"])
    torch.set_rng_state(state["rng"])
    return state["step"]


def train(
    folder: Path, tower: torch.nn.Module, optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler, steps: int, loss_at: Callable[[int], torch.Tensor],
    scales: Sequence[torch.nn.Parameter], say_every: int, keep_every: int,
) -> None:  # fmt: skip
    """Train until `steps` are done, from the last checkpoint in the folder if there is one.

    `loss_at`: number of steps done -> the loss of the next one, a scalar. `scales`: temperatures, clamped after a step.
    """
    step, started = load_checkpoint(folder, tower, optimizer, schedule), time.time()
    while step < steps:
        loss = loss_at(step)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(tower.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        for scale in scales:
            scale.data.clamp_(max=MAX_LOGIT_SCALE)
        step += 1
        if step % say_every == 0:
            print(f"step {step}/{steps} loss {loss.item():.3f} {(time.time() - started) / 60:.1f} min", flush=True)
        if step % keep_every == 0 or step == steps:
            save_checkpoint(folder, step, tower, optimizer, schedule)
