"""Checkpoints of the small training loops: model, optimizer, schedule, random state and step, replaced atomically."""

from __future__ import annotations

from pathlib import Path

import torch

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
