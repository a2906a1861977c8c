"""coca.training: both losses learn, one alone does not find, tokens, recall."""

import numpy as np
import pytest
import torch

from helpers.captioning import BEAM, CaptionedEmbeds, Captioner
from helpers.coca import CoCaTask, FeatureCoCa, encode, retrieval, shared_space, train_coca
from helpers.options import CoCaTrainingConfig

pytestmark = pytest.mark.usefixtures("one_thread")
CONFIG = CoCaTrainingConfig(epochs=60, batch_size=4, captions_per_image=2, lr=3e-3)


def test_both_losses_learn(captioner, captioned, tmp_path) -> None:
    progress = train_coca(captioner, captioned, captioned, CONFIG, tmp_path)
    last = progress.epochs[-1]
    assert last["i2t R@1"] == last["t2i R@1"] == 100
    again = Captioner.from_pretrained(tmp_path, model_class=FeatureCoCa)
    for decoding in ({"do_sample": False}, BEAM):
        captions = again.caption_embeds(captioned.image_embeds, decoding)
        assert all(text in group for text, group in zip(captions, captioned.captions, strict=True)), captions
    with pytest.raises(ValueError, match="--resume"):
        train_coca(captioner, captioned, captioned, CONFIG, tmp_path)


def test_without_the_contrast_its_parts_do_not_move(captioner, captioned, tmp_path) -> None:
    before = {name: tensor.clone() for name, tensor in captioner.model.state_dict().items()}
    config = CoCaTrainingConfig(epochs=2, batch_size=4, captions_per_image=2, contrastive_weight=0, weight_decay=0)
    train_coca(captioner, captioned, captioned, config, tmp_path)
    after = captioner.model.state_dict()
    still = {name for name in before if torch.equal(after[name], before[name])}
    assert {"coca.logit_scale", "coca.visual.project.weight", "coca.text.text_projection"} <= still
    assert "coca.text_decoder.text_projection" not in still


def test_the_loss_is_that_of_the_paper(captioner, captioned) -> None:
    task = CoCaTask(captioner, captioned, captioned, CONFIG)
    batch = task.data.__getitems__(next(iter(task.batches)))
    found = task.model.eval()(**batch)
    logits = found["logit_scale"] * found["image_features"] @ found["text_features"].T
    right = torch.arange(4)
    contrast = (logits.log_softmax(1)[right, right].mean() + logits.log_softmax(0)[right, right].mean()) / -2
    labels = batch["input_ids"][:, 1:]
    told = found["logits"].gather(2, labels[..., None])[..., 0][labels != captioner.tokenizer.pad_token_id]
    torch.testing.assert_close(task.loss(found), contrast - 2 * told.mean())


def test_tokens_have_one_length(captioner) -> None:
    ids = encode(captioner.tokenizer, ["圆。", "蓝色的小船。蓝色的小船。"], 6)
    begin, end, pad = (getattr(captioner.tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad"))
    assert ids.shape == (2, 6) and ids[0, [0, 3, 4, 5]].tolist() == [begin, end, pad, pad]
    assert ids[1, 0] == begin and ids[1, -1] == end  # cut, but with its end


def test_recall_counts_any_of_a_pictures_captions(captioner, captioned) -> None:
    images, texts = shared_space(captioner, captioned)
    assert images.shape == (4, 16) and texts.shape == (8, 16)
    np.testing.assert_allclose(np.linalg.norm(texts, axis=1), 1, atol=1e-5)
    scores = texts @ images.T
    i2t = np.mean([scores[:, i].argmax() // 2 == i for i in range(4)])
    t2i = np.mean([scores[j].argmax() == j // 2 for j in range(8)])
    found = retrieval(captioner, captioned, ks=(1, 4))
    assert found == {"i2t R@1": 100 * i2t, "i2t R@4": found["i2t R@4"], "t2i R@1": 100 * t2i, "t2i R@4": 100.0}


def test_noise_is_for_training_alone(captioner, captioned) -> None:
    config = CoCaTrainingConfig(batch_size=4, captions_per_image=1, noise=0.1)
    task = CoCaTask(captioner, CaptionedEmbeds(*captioned), captioned, config)
    batch = task.data.__getitems__(next(iter(task.batches)))
    task.model.train()
    assert not torch.equal(task.model(**batch)["image_features"], task.model(**batch)["image_features"])
    task.model.eval()
    assert torch.equal(task.model(**batch)["image_features"], task.model(**batch)["image_features"])
