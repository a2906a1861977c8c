"""clip.model: the loss against a hand-written loop and transformers' own, padding that must not show."""

import math

import pytest
import torch
from torch.nn import functional as F
from transformers import CLIPVisionConfig, DistilBertConfig, DistilBertModel
from transformers.models.clip import modeling_clip

from helpers.clip import (
    MAX_LOGIT_SCALE,
    CustomCLIP,
    CustomCLIPConfig,
    Shift,
    TextTower,
    bilingual_tokenizer,
    contrastive_loss,
    masked_mean,
)

TINY = {"vocab_size": 60, "dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32, "max_position_embeddings": 32}
SCALE = torch.tensor(math.log(1 / 0.07))


def pairs(batch: int = 6, dim: int = 8, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    images, texts = torch.randn(2, batch, dim, generator=generator)
    return F.normalize(images, dim=-1), F.normalize(texts, dim=-1)


def loss_by_hand(images: torch.Tensor, texts: torch.Tensor, scale: float) -> float:
    """-log softmax of the right partner, from both sides, with numbers only."""
    images, texts = images.tolist(), texts.tolist()
    logit = [[scale * math.fsum(x * y for x, y in zip(a, b, strict=True)) for b in texts] for a in images]
    n, total = len(images), 0.0
    for i in range(n):
        total -= logit[i][i] - math.log(sum(math.exp(logit[i][j]) for j in range(n)))
        total -= logit[i][i] - math.log(sum(math.exp(logit[j][i]) for j in range(n)))
    return total / (2 * n)


@pytest.mark.parametrize("batch", [1, 2, 6])
@pytest.mark.parametrize("scale", [0.0, 1.0, SCALE.item()])
def test_loss_equals_a_plain_loop_and_transformers(batch: int, scale: float) -> None:
    images, texts = (x.double() for x in pairs(batch))
    loss = contrastive_loss(images, texts, torch.tensor(scale, dtype=torch.float64))
    assert loss.item() == pytest.approx(loss_by_hand(images, texts, math.exp(scale)), abs=1e-6)
    # transformers' name for it, before and in 5.x
    theirs = getattr(modeling_clip, "image_text_contrastive_loss", None) or modeling_clip.clip_loss
    assert loss.item() == pytest.approx(theirs(math.exp(scale) * texts @ images.T).item(), abs=1e-6)


def test_loss_is_symmetric_and_blind_to_the_order_of_pairs() -> None:
    images, texts = pairs()
    loss = contrastive_loss(images, texts, SCALE)
    assert contrastive_loss(texts, images, SCALE).item() == pytest.approx(loss.item(), abs=1e-6)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    assert contrastive_loss(images[order], texts[order], SCALE).item() == pytest.approx(loss.item(), abs=1e-6)
    assert contrastive_loss(images, texts[order], SCALE).item() != pytest.approx(loss.item(), abs=1e-2)


def test_loss_at_both_ends() -> None:
    same = F.normalize(torch.eye(4), dim=-1)
    assert contrastive_loss(same, same, torch.tensor(MAX_LOGIT_SCALE)).item() < 1e-6
    alike = same[:1].expand(4, -1)
    assert contrastive_loss(alike, alike, SCALE).item() == pytest.approx(math.log(4), abs=1e-6)


def test_gradients_reach_both_sides_and_the_temperature() -> None:
    images, texts = (x.clone().requires_grad_() for x in pairs())
    scale = SCALE.clone().requires_grad_()
    contrastive_loss(images, texts, scale).backward()
    assert all(x.grad.abs().sum() > 0 for x in (images, texts, scale))


def test_masked_mean_ignores_padding() -> None:
    features = torch.tensor([[[1.0, 2], [3, 4], [50, 60]], [[5.0, 6], [70, 80], [90, 10]]])
    mask = torch.tensor([[1, 1, 0], [1, 0, 0]])
    assert masked_mean(features, mask).tolist() == [[2, 3], [5, 6]]
    assert masked_mean(features, torch.ones_like(mask))[0].tolist() == [18, 22]
    assert masked_mean(features, torch.zeros_like(mask)).tolist() == [[0, 0], [0, 0]]  # nothing, but not NaN


def test_text_embedding_is_the_same_whatever_the_padding() -> None:
    torch.manual_seed(0)
    tower = TextTower(DistilBertModel(DistilBertConfig(**TINY)), dim=8).eval()
    ids = torch.tensor([[2, 17, 23, 3]])
    mask = torch.ones_like(ids)
    with torch.inference_mode():
        alone = tower(ids, mask)
        for width in (1, 9):
            padded = F.pad(ids, (0, width))
            assert torch.allclose(tower(padded, F.pad(mask, (0, width))), alone, atol=1e-6)
            assert not torch.allclose(tower(padded, torch.ones_like(padded)), alone, atol=1e-3)
        longer = torch.tensor([[2, 5, 6, 7, 8, 9, 10, 3]])
        batch = torch.cat([F.pad(ids, (0, 4)), longer])
        together = tower(batch, (batch != 0).long())
    assert torch.allclose(together[:1], alone, atol=1e-6) and not torch.allclose(together[1:], alone, atol=1e-2)


def test_a_batch_of_pairs() -> None:
    torch.manual_seed(0)
    model = CustomCLIP(CustomCLIPConfig(text_config=TINY, dim=8)).eval()
    assert isinstance(model, CustomCLIP) and model.logit_scale.exp().item() == pytest.approx(1 / 0.07)
    ids = torch.randint(1, 60, (2, 5))
    with torch.inference_mode():
        images, texts = model(torch.randn(2, 3, 64, 48), ids, torch.ones_like(ids))
    for embeds in (images, texts):
        assert embeds.shape == (2, 8) and torch.allclose(embeds.norm(dim=-1), torch.ones(2), atol=1e-5)


def test_bilingual_tokenizer() -> None:
    texts = ["a Boat on the river", "a boat in the rain", "江上的小舟", "小雨和小舟", "the rain"] * 3
    tokenizer = bilingual_tokenizer(texts, vocab_size=80)
    assert tokenizer.pad_token_id == 0
    assert tokenizer.tokenize("小舟A BOAT") == ["小", "舟", "a", "boat"]
    assert tokenizer.convert_ids_to_tokens(tokenizer("小舟")["input_ids"]) == ["小", "舟"]  # for the mean: no [CLS]
    assert tokenizer.tokenize("龘") == ["[UNK]"]


def test_a_shift_leaves_the_towers_own_space() -> None:
    torch.manual_seed(0)
    head, features = Shift(8, 8), F.normalize(torch.randn(5, 8) + 2, dim=1)
    assert torch.equal(head(features), features), "untrained it changes nothing"
    head.offset.data = -features.mean(0)
    assert head(features).mean(0).abs().max() < 1e-6
    with pytest.raises(ValueError, match="leaves 8 features 8"):
        Shift(8, 4)


def test_a_model_with_a_shift_and_without_mirror_images(tmp_path) -> None:
    torch.manual_seed(0)
    vision = CLIPVisionConfig(hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
                              image_size=32, patch_size=16, projection_dim=8)  # fmt: skip
    config = CustomCLIPConfig(vision, TINY, dim=8, locked=True, image_head="shift", mirrored=False)
    model = CustomCLIP(config).eval()
    model.image.head.offset.data = torch.randn(8)
    pixels = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        features = F.normalize(model.image.backbone(pixels).image_embeds, dim=1)
        expected = F.normalize(features + model.image.head.offset, dim=1)
        assert torch.allclose(model.get_image_features(pixels), expected, atol=1e-6)
        model.config.mirrored = True
        both = (model.image(pixels) + model.image(pixels.flip(-1))) / 2
        assert torch.allclose(model.get_image_features(pixels), both, atol=1e-5)
    model.config.mirrored = False
    model.save_pretrained(tmp_path)
    loaded = CustomCLIP.from_pretrained(tmp_path)
    assert torch.equal(loaded.image.head.offset, model.image.head.offset) and not loaded.config.mirrored
    assert [name for name, weight in loaded.image.named_parameters() if weight.requires_grad] == ["head.offset"]
