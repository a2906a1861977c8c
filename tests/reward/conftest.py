"""A captioner that knows a few pictures, and an encoder that finds a caption the more like its picture the longer."""

import numpy as np
import pytest
import torch

from helpers.captioning import CaptionedEmbeds, Captioner, new_captioner, train_captioner
from helpers.options import CaptionTrainingConfig

CAPTIONS = [
    ["红色的方块。", "方块是红的。"],
    ["绿色的圆。", "圆是绿的。"],
    ["蓝色的小船。", "一只小船。"],
    ["黄叶。", "一片黄叶。"],
]


class Weigher:
    """Texts and pictures in two dimensions: a text leans to the second the more 小 and 一 there are in it."""

    fingerprint, dim, device = "weigher", 2, "cpu"

    def encode_texts(self, texts, cache: bool = False) -> np.ndarray:
        angles = np.array([0.2 * sum(text.count(char) for char in "小一") for text in texts])
        return np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)


@pytest.fixture(scope="session")
def captioned() -> CaptionedEmbeds:
    embeds = np.random.default_rng(0).normal(size=(4, 2)).astype(np.float32)
    return CaptionedEmbeds(embeds / np.linalg.norm(embeds, axis=1, keepdims=True), CAPTIONS)


@pytest.fixture
def encoder() -> Weigher:
    return Weigher()


@pytest.fixture(scope="session")
def trained(captioned, tmp_path_factory):
    torch.manual_seed(0)
    captioner = Captioner(*new_captioner(captioned, width=32, layers=1, heads=2, dropout=0.0))
    config = CaptionTrainingConfig(epochs=60, batch_size=4, captions_per_image=2, lr=5e-3)
    folder = tmp_path_factory.mktemp("captioner")
    train_captioner(captioner, captioned, captioned, config, folder)
    return folder


@pytest.fixture
def captioner(trained) -> Captioner:
    return Captioner.from_pretrained(trained)
