"""A CoCa so small that all its captions can be counted."""

import numpy as np
import pytest
import torch

from helpers.captioning import CaptionedEmbeds, Captioner
from helpers.coca import FeatureCoCa, FeatureCoCaConfig, new_coca

CAPTIONS = [
    ["红色的方块。", "方块是红的。"],
    ["绿色的圆。", "圆。"],
    ["蓝色的小船。", "一只小船。"],
    ["黄叶。", "叶子。"],
]


@pytest.fixture(scope="session")
def captioned() -> CaptionedEmbeds:
    embeds = np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32)
    return CaptionedEmbeds(embeds / np.linalg.norm(embeds, axis=1, keepdims=True), CAPTIONS)


@pytest.fixture
def captioner(captioned) -> Captioner:
    torch.manual_seed(0)
    return Captioner(*new_coca(captioned, dim=16, hidden_size=32, layers=1, heads=2, prefix_length=3, context_length=9))


@pytest.fixture
def few_words() -> FeatureCoCa:
    """Over seven tokens, of which <pad> 0, </s> 1 and <s> 2; captions of at most four tokens behind the begin."""
    config = FeatureCoCaConfig(
        vocab_size=7, image_dim=8, dim=16, hidden_size=32, layers=1, heads=2, prefix_length=3, context_length=5,
        bos_token_id=2, eos_token_id=1, pad_token_id=0,
    )  # fmt: skip
    torch.manual_seed(1)
    model = FeatureCoCa(config)
    torch.nn.init.normal_(model.coca.text_decoder.text_projection, std=0.5)  # else all words are nearly as likely
    return model.eval()
