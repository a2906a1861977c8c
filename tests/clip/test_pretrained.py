"""clip.pretrained: a model as a folder, new models from pretrained backbones, and the towers' own rules."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, DistilBertModel

from helpers.chinese_clip import ImageTextEncoder
from helpers.clip import (
    IMAGENET_MEAN,
    POOLING,
    CustomCLIPConfig,
    from_backbones,
    is_custom_clip,
    load_clip,
    masked_mean,
    save_clip,
)
from helpers.config import ASSETS
from helpers.data import squash
from helpers.storage import weights_digest

TEXTS = ["a red square", "a blue square on black at the left", "red"]


def embeds(clip, pictures) -> tuple[torch.Tensor, torch.Tensor]:
    model, processor = clip
    with torch.inference_mode():
        return model.eval()(**processor(pictures, TEXTS))


def one_line(error: pytest.ExceptionInfo, *mentions: object) -> bool:
    message = str(error.value)
    return "\n" not in message and all(str(mention) in message for mention in mentions)


# --- folders ---


def test_save_and_load(clip, pictures, tmp_path) -> None:
    with torch.no_grad():
        clip[0].logit_scale.fill_(3.21)
    save_clip(*clip, tmp_path / "new" / "folder")
    loaded = load_clip(str(tmp_path / "new" / "folder"))
    assert all(map(torch.equal, embeds(loaded, pictures), embeds(clip, pictures)))
    assert loaded[0].logit_scale == clip[0].logit_scale and not loaded[0].training
    assert fingerprint(*loaded) == fingerprint(*clip) and is_custom_clip(tmp_path / "new" / "folder")


def test_eight_bits(clip, pictures, tmp_path) -> None:
    """A folder holds one model: the one that was saved last."""
    save_clip(*clip, tmp_path, quantized=True)
    assert not (tmp_path / "model.safetensors").exists()
    small = load_clip(tmp_path)
    for found, expected in zip(embeds(small, pictures), embeds(clip, pictures), strict=True):
        assert 0 < (found - expected).abs().max() < 0.05
    save_clip(*small, tmp_path)
    assert not (tmp_path / "model.int8.safetensors").exists()
    assert all(map(torch.equal, embeds(load_clip(tmp_path), pictures), embeds(small, pictures)))


def test_the_embedded_model(pictures) -> None:
    model, processor = load_clip(ASSETS / "image_text")
    tokens = processor.tokens(["一叶小舟", "a boat", "  "])
    assert tokens["attention_mask"].sum(1).tolist() == [6, 4, 3]  # never a row without tokens
    with torch.inference_mode():
        images, texts = model(processor.pixel_values(pictures[:3]), **tokens)
    assert images.shape == texts.shape == (3, model.config.dim)
    assert images.norm(dim=-1) == pytest.approx(np.ones(3), abs=1e-4)


def test_load_with_changes(clip_folder, pictures) -> None:
    model, processor = load_clip(clip_folder, image_size=48, pooling="cls", dropout=0.5)
    assert processor.image_processor.size == 48 and processor.pixel_values(pictures).shape == (5, 3, 48, 48)
    assert model.text.pool is POOLING["cls"] and model.image.head.dropout.p == 0.5
    assert model.config.dim == 32 and load_clip(clip_folder)[1].image_processor.size == 32


def test_not_a_folder_of_ours(distilbert_folder, tmp_path) -> None:
    for folder in (tmp_path, tmp_path / "missing", distilbert_folder):
        with pytest.raises(ValueError) as error:
            load_clip(folder)
        assert one_line(error, folder, "no CLIP of ours")


@pytest.mark.parametrize("change", [{"pooling": "maximum"}, {"vision_config": {"model_type": "camera"}}, {"dim": 31}])
def test_a_config_that_describes_no_model(change: dict, clip_folder, tmp_path) -> None:
    folder = shutil.copytree(clip_folder, tmp_path / "copy")
    config = json.loads((folder / "config.json").read_text()) | change
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError) as error:
        load_clip(folder)
    assert one_line(error)


def test_a_folder_without_weights(clip_folder, tmp_path) -> None:
    folder = shutil.copytree(clip_folder, tmp_path / "copy")
    (folder / "model.safetensors").unlink()
    with pytest.raises((ValueError, OSError), match="model.safetensors"):
        load_clip(folder)


# --- pretrained backbones ---


def test_from_backbones(resnet_file, distilbert_folder, pictures) -> None:
    model, processor = from_backbones(resnet_file, distilbert_folder, image_size=32, dim=16, pooling="cls")
    image = load_file(resnet_file)
    ours = model.image.backbone.state_dict()
    assert set(image) - set(ours) == {"fc.weight", "fc.bias"} and all(torch.equal(ours[k], image[k]) for k in ours)
    text = DistilBertModel.from_pretrained(distilbert_folder)
    assert weights_digest(model.text.backbone) == weights_digest(text)
    expected = AutoTokenizer.from_pretrained(distilbert_folder)(TEXTS, padding=True, return_tensors="pt")
    tokens = processor.tokens(TEXTS)
    assert torch.equal(tokens["input_ids"], expected["input_ids"]) and tokens["input_ids"][0, 0] == 2  # [CLS]
    with torch.inference_mode():
        theirs = text.eval()(**tokens).last_hidden_state[:, 0]
        assert torch.allclose(model.text.features(**tokens), theirs, atol=1e-5)
    assert [x.shape for x in embeds((model, processor), pictures[:3])] == [(3, 16), (3, 16)]
    assert tuple(processor.image_processor.image_mean) == IMAGENET_MEAN and not model.training


def test_from_a_folder_of_ours(clip, clip_folder, distilbert_folder, resnet_file) -> None:
    both, processor = from_backbones(clip_folder, clip_folder, dim=24)
    for ours, theirs in ((both.image, clip[0].image), (both.text, clip[0].text)):
        assert weights_digest(ours.backbone) == weights_digest(theirs.backbone)
    assert both.config.dim == 24 and both.image.head.hidden.weight.shape == (24, 24)
    assert torch.equal(processor.tokens(TEXTS)["input_ids"], clip[1].tokens(TEXTS)["input_ids"])
    for one in ((clip_folder, distilbert_folder), (resnet_file, clip_folder)):
        assert weights_digest(from_backbones(*one)[0].text.backbone) == weights_digest(clip[0].text.backbone)


def test_no_such_image_weights(distilbert_folder, tmp_path) -> None:
    with pytest.raises(ValueError) as error:
        from_backbones(tmp_path / "missing.safetensors", distilbert_folder)
    assert one_line(error, "missing.safetensors", "imagenet")


def other_network(path) -> None:
    save_file({"weight": torch.zeros(2)}, path)


def no_safetensors(path) -> None:
    path.write_bytes(b"not safetensors")


@pytest.mark.parametrize("write", [other_network, no_safetensors])
def test_image_weights_that_do_not_fit(write, distilbert_folder, tmp_path) -> None:
    write(tmp_path / "other.safetensors")
    with pytest.raises((ValueError, OSError)) as error:
        from_backbones(tmp_path / "other.safetensors", distilbert_folder)
    assert one_line(error, "other.safetensors")


def test_no_such_text_model(resnet_file, tmp_path) -> None:
    with pytest.raises((ValueError, OSError), match="no_such_folder"):
        from_backbones(resnet_file, tmp_path / "no_such_folder")


# --- fingerprints, pictures, texts ---


def fingerprint(model, processor) -> str:
    return ImageTextEncoder(model, processor, "cpu").fingerprint


def test_fingerprint(clip, clip_folder) -> None:
    (model, processor), keys = clip, [fingerprint(*clip), fingerprint(*load_clip(clip_folder))]
    assert keys[0] == keys[1]
    for tensor in (model.text.head.norm.bias, model.logit_scale, model.image.backbone.bn1.weight):
        with torch.no_grad():
            tensor.view(-1)[0] += 1e-3
        keys.append(fingerprint(*clip))
    processor.max_length = 7
    assert len({*keys, fingerprint(*clip), fingerprint(*load_clip(clip_folder, image_size=48))}) == 6


def test_pixels_are_normalised(clip, pictures) -> None:
    pixels = clip[1].pixel_values(pictures)
    assert pixels.shape == (5, 3, 32, 32) and pixels.is_contiguous(memory_format=torch.channels_last)
    r, g, b = np.asarray(squash(pictures[2], 32))[5, 7] / 255
    expected = [(r - 0.485) / 0.229, (g - 0.456) / 0.224, (b - 0.406) / 0.225]
    assert pixels[2, :, 5, 7].tolist() == pytest.approx(expected, abs=1e-5)


def test_long_texts_are_cut(clip) -> None:
    tokens = clip[1].tokens(["red " * 50, "red"])
    assert tokens["input_ids"].shape == (2, 12) and tokens["attention_mask"][1].sum() == 3


# --- the towers ---


def test_pooling_by_hand() -> None:
    """Four layers, one text of two tokens and one of padding, two features."""
    layers = [
        [[9, 9], [9, 9], [9, 9]],
        [[1, 0], [3, 0], [50, 50]],
        [[2, 3], [4, 9], [70, 70]],
        [[6, 0], [8, 6], [90, 90]],
    ]
    states = [torch.tensor([layer], dtype=torch.float32) for layer in layers]
    mask = torch.tensor([[1, 1, 0]])
    found = {name: pool(states, mask).tolist() for name, pool in POOLING.items()}
    assert found == {"mean": [[7, 3]], "cls": [[6, 0]], "mean of 3 layers": [[4, 3]]}
    assert masked_mean(states[-1], mask).tolist() == [[7, 3]]


@pytest.mark.parametrize("pooling", list(POOLING))
def test_a_tower_pools_as_it_is_told(pooling: str, clip_folder) -> None:
    model, processor = load_clip(clip_folder, pooling=pooling)
    tokens = processor.tokens(TEXTS)
    with torch.inference_mode():
        states = model.text.backbone(**tokens, output_hidden_states=True).hidden_states
        assert len(states) == 4  # the embeddings and three layers
        expected = POOLING[pooling](states, tokens["attention_mask"])
        assert torch.allclose(model.text.features(**tokens), expected, atol=1e-6)


def test_batch_norm_keeps_its_statistics_and_learns_its_weights(clip, pictures) -> None:
    model, processor = clip
    tower = model.train().image
    norms = [module for module in tower.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    before = {name: buffer.clone() for name, buffer in tower.named_buffers()}
    tower(processor.pixel_values(pictures)).sum().backward()
    assert len(norms) == 36 and not any(module.training for module in norms)
    assert tower.head.dropout.training and model.text.backbone.training
    assert all(torch.equal(buffer, before[name]) for name, buffer in tower.named_buffers())
    assert all(p.requires_grad and p.grad is not None for p in tower.parameters())
    assert norms[0].weight.grad.abs().sum() > 0
    assert not tower.eval().training and not tower.head.dropout.training


def test_config_defaults() -> None:
    config = CustomCLIPConfig()
    assert (config.projection_dim, config.pooling, config.locked) == (512, "mean", False)
    assert (config.vision_config.architecture, config.text_config.model_type) == ("resnet34", "distilbert")
