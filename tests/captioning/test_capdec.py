"""captioning.capdec: sentences in the pictures' place, noise while it learns, the move from one mean to the other."""

import numpy as np
import pytest
import torch

from helpers.captioning import (
    GREEDY,
    Blurred,
    CaptionedEmbeds,
    Captioner,
    embed_sentences,
    move_to_pictures,
    new_captioner,
    train_captioner,
)
from helpers.options import CaptionTrainingConfig

pytestmark = pytest.mark.usefixtures("one_thread")
SENTENCES = ["红色的方块。", "绿色的圆。", "蓝色的小船。", "黄叶。"]


def test_a_sentence_stands_in_for_its_picture(encoder) -> None:
    found = embed_sentences(encoder, ["圆。", "方块。", "圆。"])
    assert found.captions == [["圆。"], ["方块。"]]
    np.testing.assert_allclose(found.image_embeds, encoder.encode_texts(["圆。", "方块。"]), atol=1e-5)


def test_noise_has_the_variance_that_was_asked_for() -> None:
    blurred = Blurred(torch.nn.Identity(), 0.04).train()
    noise = blurred(torch.zeros(1000, 8))
    assert noise.std().item() == pytest.approx(0.2, rel=0.05) and abs(noise.mean().item()) < 0.01
    assert torch.equal(blurred.eval()(torch.ones(2, 8)), torch.ones(2, 8))


def test_what_was_learnt_from_sentences_is_said_of_pictures(tmp_path) -> None:
    """Pictures lie apart from the sentences about them: unless they are moved, the captioner sees nothing in them."""
    rng = np.random.default_rng(0)
    texts = rng.normal(size=(4, 16)).astype(np.float32)
    pictures = texts + 6 * rng.normal(size=16).astype(np.float32)  # the gap
    data = CaptionedEmbeds(texts, [[text] for text in SENTENCES])
    config = CaptionTrainingConfig(epochs=80, batch_size=4, captions_per_image=1, lr=3e-3, noise=0.01)
    torch.manual_seed(0)
    captioner = Captioner(*new_captioner(data, width=32, layers=1, heads=2, dropout=0.0))
    train_captioner(captioner, data, data, config, tmp_path)
    assert captioner.caption_embeds(texts, GREEDY) == SENTENCES
    assert captioner.caption_embeds(pictures, GREEDY) != SENTENCES
    move_to_pictures(captioner.model.centred, pictures)
    assert captioner.caption_embeds(pictures, GREEDY) == SENTENCES


def test_noise_makes_another_run(captioner, captioned, tmp_path) -> None:
    train_captioner(captioner, captioned, captioned, CaptionTrainingConfig(epochs=1, batch_size=2), tmp_path)
    other = CaptionTrainingConfig(epochs=1, batch_size=2, noise=0.1)
    with pytest.raises(ValueError, match="noise"):
        train_captioner(captioner, captioned, captioned, other, tmp_path, resume=True)
