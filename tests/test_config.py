"""config: the profiles fill in a Config, and nothing else; devices, number formats, seeds."""

import os
import random
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest
import torch

from helpers.config import ASSETS, PROFILES, load_config, pick_device, pick_dtype, seed_everything


def test_profiles_are_nothing_but_a_config(monkeypatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE")
    mini, full = load_config(), load_config("full")
    assert mini == load_config("mini") and mini.offline and not full.offline
    assert "HF_HUB_OFFLINE" not in os.environ
    assert Path(mini.image_text_model).parent == Path(mini.poem_model).parent == ASSETS
    assert all(config.keywords >= 1 for config in PROFILES.values())


def test_changes() -> None:
    config = load_config("mini", keywords=2, seed=7)
    assert (config.keywords, config.seed) == (2, 7) and load_config("mini").seed == 0
    with pytest.raises(FrozenInstanceError):
        config.seed = 1
    with pytest.raises(TypeError, match="colour"):
        load_config("mini", colour="red")
    with pytest.raises(ValueError, match="'huge': choose one of mini, full"):
        load_config("huge")


def test_pick_device(monkeypatch) -> None:
    assert pick_device("meta") == "meta"
    for cuda, mps, device in [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")]:
        monkeypatch.setattr(torch.cuda, "is_available", lambda cuda=cuda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda mps=mps: mps)
        assert pick_device() == device


def test_pick_dtype(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    assert pick_dtype("cuda") == torch.bfloat16
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    assert pick_dtype("cuda") == torch.float16  # a T4
    assert pick_dtype("mps") == torch.float32
    for capability, flags, dtype in [
        ("AVX512", {"avx512_bf16": True}, torch.bfloat16),
        ("AVX512", {"avx512_bf16": False}, torch.float32),
        ("AVX2", {"avx512_bf16": True}, torch.float32),  # as ATEN_CPU_CAPABILITY may ask for
        ("DEFAULT", {}, torch.float32),  # of another architecture
    ]:
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda capability=capability: capability)
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda flags=flags: flags)
        assert pick_dtype("cpu") == dtype


def test_seed_everything() -> None:
    def draw(seed: int) -> tuple:
        seed_everything(seed)
        return random.random(), np.random.rand(), torch.rand(1).item()

    assert draw(3) == draw(3)
    assert not set(draw(3)) & set(draw(4))
