"""captioning.training: what learns and what does not, stored embeddings, a run that is another one."""

import numpy as np
import pytest
import torch

from helpers.captioning import CaptionedEmbeds, CaptionTask, embed_captioned, train_captioner
from helpers.data import load_captions
from helpers.options import CaptionTrainingConfig

pytestmark = pytest.mark.usefixtures("one_thread")
CONFIG = CaptionTrainingConfig(epochs=3, batch_size=2, captions_per_image=2)


@pytest.mark.parametrize("freeze", [False, True])
def test_a_frozen_decoder_stays_as_it_is(captioner, captioned, freeze, tmp_path) -> None:
    before = {name: tensor.clone() for name, tensor in captioner.model.state_dict().items()}
    config = CaptionTrainingConfig(**{**vars(CONFIG), "freeze_decoder": freeze})
    progress = train_captioner(captioner, captioned, captioned, config, tmp_path)
    changed = {name for name, tensor in captioner.model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert {name.partition(".")[0] for name in changed} == ({"mapping"} if freeze else {"mapping", "decoder"})
    assert len(progress.losses) == 3 * 4 and list(progress.epochs[0]) == ["loss", "CIDEr", "BLEU-4"]
    assert progress.epochs[-1]["loss"] < progress.epochs[0]["loss"]


def test_every_caption_comes_once_an_epoch(captioner, captioned) -> None:
    task = CaptionTask(captioner, captioned, captioned, CaptionTrainingConfig(batch_size=4, captions_per_image=3))
    seen = [(pair.picture, pair.caption) for batch in task.batches for pair in batch]
    assert {(picture, i) for picture, group in enumerate(captioned.captions) for i in range(len(group))} == set(seen)


def test_another_run_is_not_resumed(captioner, captioned, tmp_path) -> None:
    train_captioner(captioner, captioned, captioned, CONFIG, tmp_path)
    other = CaptionedEmbeds(captioned.image_embeds + 1, captioned.captions)
    with pytest.raises(ValueError, match="pictures"):
        train_captioner(captioner, other, captioned, CONFIG, tmp_path, resume=True)
    with pytest.raises(ValueError, match="--resume"):
        train_captioner(captioner, captioned, captioned, CONFIG, tmp_path)


def test_pictures_are_embedded_once(encoder, squares_folder, monkeypatch) -> None:
    data = load_captions(squares_folder, "train", squares_folder / "splits.csv")
    first = embed_captioned(encoder, data, "en")
    np.testing.assert_allclose(first.image_embeds, encoder.encode_images(list(data.pictures)), atol=1e-5)
    monkeypatch.setattr(encoder, "encode_images", lambda images: pytest.fail("encoded twice"))
    again = embed_captioned(encoder, data, "en")
    np.testing.assert_array_equal(again.image_embeds, first.image_embeds)
    assert first.captions == data.captions
