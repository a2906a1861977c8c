"""config: the profiles fill in a Config, and nothing else; devices, number formats, seeds."""

import os
import random
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest
import torch

from helpers.config import ASSETS, PROFILES, load_config, pick_device, pick_dtype, seed_everything


def test_mini_is_the_default_and_lives_in_the_assets(monkeypatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE")
    config = load_config()
    assert config == load_config("mini") and config.offline
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    assert Path(config.image_text_model).parent == Path(config.poem_model).parent == ASSETS


def test_full_may_ask_the_hub(monkeypatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE")
    assert not load_config("full").offline and "HF_HUB_OFFLINE" not in os.environ


def test_a_reader_who_switched_the_hub_on_is_obeyed(monkeypatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    load_config("mini")
    assert os.environ["HF_HUB_OFFLINE"] == "0"


def test_changes() -> None:
    config = load_config("mini", keywords=2, seed=7)
    assert (config.keywords, config.seed) == (2, 7) and load_config("mini").seed == 0
    with pytest.raises(FrozenInstanceError):
        config.seed = 1
    with pytest.raises(TypeError, match="colour"):
        load_config("mini", colour="red")
    with pytest.raises(ValueError, match="'huge': choose one of mini, full"):
        load_config("huge")


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_asks_for_something_possible(profile: str) -> None:
    config = PROFILES[profile]
    assert config.keywords >= 1


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
    monkeypatch.setattr("helpers.config._cpu_has_bf16", lambda: False)
    assert pick_dtype("cpu") == torch.float32
    monkeypatch.setattr("helpers.config._cpu_has_bf16", lambda: True)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    assert pick_dtype("cpu") == torch.bfloat16


def test_seed_everything() -> None:
    def draw(seed: int) -> tuple:
        seed_everything(seed)
        return random.random(), np.random.rand(), torch.rand(1).item()

    assert draw(3) == draw(3)
    assert not set(draw(3)) & set(draw(4))
