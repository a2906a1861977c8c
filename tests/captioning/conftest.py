"""A few pictures as vectors, with captions, and a captioner that learns them in seconds."""

import numpy as np
import pytest
import torch

from helpers.captioning import CaptionedEmbeds, Captioner, new_captioner
from helpers.chinese_clip import ImageTextEncoder

CAPTIONS = [["红色的方块。", "方块是红的。"], ["绿色的圆。"], ["蓝色的小船。", "一只小船。", "船是蓝的。"], ["黄叶。"]]


@pytest.fixture(scope="session")
def captioned() -> CaptionedEmbeds:
    embeds = np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32)
    return CaptionedEmbeds(embeds / np.linalg.norm(embeds, axis=1, keepdims=True), CAPTIONS)


@pytest.fixture(params=["mlp", "transformer"])
def captioner(request, captioned) -> Captioner:
    torch.manual_seed(0)
    return Captioner(*new_captioner(captioned, width=32, layers=2, heads=2, dropout=0.0, mapping=request.param))


@pytest.fixture
def encoder(clip) -> ImageTextEncoder:
    return ImageTextEncoder(*clip, device="cpu", dtype=torch.float32)
