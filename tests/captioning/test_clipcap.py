"""captioning.prefix and clipcap: shapes, pads that count for nothing, one step at a time as all at once."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from helpers.captioning import GREEDY, MAPPINGS, Captioner, CaptionPairs, ClipCaptioner, save_captioner
from helpers.clip import Pair

PAIRS = [Pair(2, 0, 0), Pair(3, 0, 0), Pair(0, 1, 0)]


@pytest.fixture
def batch(captioner, captioned) -> dict[str, torch.Tensor]:
    return CaptionPairs(captioned, captioner.tokenizer).__getitems__(PAIRS)


@pytest.mark.parametrize("name", MAPPINGS)
def test_prefixes(name: str) -> None:
    mapping = MAPPINGS[name](12, 20, prefix_length=3, constants=4)
    images = torch.randn(5, 12)
    prefix = mapping(images)
    assert prefix.shape == (5, 3, 20)
    torch.testing.assert_close(mapping(images[1:2]), prefix[1:2])  # a picture's prefix is its own
    assert not torch.allclose(prefix[0], prefix[1])


def test_logits_and_loss_by_hand(captioner, batch) -> None:
    """Each caption alone, without pads: the mean over all tokens, end tokens counted in."""
    model = captioner.model
    output = model(**batch)
    assert output.logits.shape == (3, batch["input_ids"].shape[1], len(captioner.tokenizer))
    losses = []
    for row in range(3):
        ids = batch["input_ids"][row][batch["attention_mask"][row] == 1]
        assert ids[-1] == captioner.tokenizer.eos_token_id
        alone = model(batch["image_embeds"][row : row + 1], ids[None], torch.ones_like(ids)[None]).logits[0]
        torch.testing.assert_close(alone, output.logits[row, : len(ids)], atol=1e-4, rtol=1e-4)
        losses.append(cross_entropy(alone, ids, reduction="none"))
    torch.testing.assert_close(output.loss, torch.cat(losses).mean(), atol=1e-5, rtol=1e-5)


def test_the_picture_tells_the_first_token(captioner, batch) -> None:
    first = captioner.model(**batch).logits[:, 0]
    other = captioner.model(**batch | {"image_embeds": batch["image_embeds"].flip(0)}).logits[:, 0]
    torch.testing.assert_close(first, other.flip(0), atol=1e-5, rtol=1e-5)
    assert not torch.allclose(first[0], first[1])


@torch.no_grad()
def test_greedy_takes_the_likeliest_token_again_and_again(captioner, captioned) -> None:
    """What `generate` writes with its cache is what the whole model finds without one."""
    images = torch.as_tensor(captioned.image_embeds)
    ends = {"eos_token_id": captioner.tokenizer.eos_token_id, "pad_token_id": captioner.tokenizer.pad_token_id}
    written = captioner.model.write(images, {**GREEDY, **ends})
    for image, ids in zip(images, written, strict=True):
        ids = (
            ids[: (ids == captioner.tokenizer.eos_token_id).long().argmax() + 1] if ends["eos_token_id"] in ids else ids
        )
        logits = captioner.model(image[None], ids[None], torch.ones_like(ids)[None]).logits[0]
        assert logits.argmax(1).tolist() == ids.tolist()


def test_a_folder(captioner, captioned, tmp_path) -> None:
    save_captioner(captioner.model, captioner.tokenizer, tmp_path)
    again = Captioner.from_pretrained(tmp_path)
    assert isinstance(again.model, ClipCaptioner) and not again.model.training
    for name, tensor in captioner.model.state_dict().items():
        assert torch.equal(again.model.state_dict()[name], tensor), name
    assert again.caption_embeds(captioned.image_embeds) == captioner.caption_embeds(captioned.image_embeds)


def test_pictures_are_centred(captioner, captioned) -> None:
    centred = captioner.model.centred(torch.from_numpy(captioned.image_embeds))
    torch.testing.assert_close(centred.mean(0), torch.zeros(8), atol=1e-5, rtol=0)
    assert centred.std().item() == pytest.approx(1, abs=0.01)
    assert captioner.model.state_dict()["centred.scale"].shape == (1,)  # goes with the weights
