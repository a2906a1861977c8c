"""clip.pretrained: a model as a folder, new models from pretrained backbones, and the towers' own rules."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, DistilBertModel

from helpers.clip import IMAGENET_MEAN, POOLING, CLIPBundle, CLIPConfig, is_bundle, masked_mean
from helpers.config import ASSETS
from helpers.data import squash
from helpers.storage import weights_digest

TEXTS = ["a red square", "a blue square on black at the left", "red"]


def embeds(bundle: CLIPBundle, pictures) -> tuple[torch.Tensor, torch.Tensor]:
    with torch.inference_mode():
        return bundle.model.eval()(bundle.pixels(pictures), **bundle.tokens(TEXTS))


def one_line(error: pytest.ExceptionInfo, *mentions: object) -> bool:
    message = str(error.value)
    return "\n" not in message and all(str(mention) in message for mention in mentions)


# --- folders ---


def test_save_and_load(bundle, pictures, tmp_path) -> None:
    with torch.no_grad():
        bundle.model.logit_scale.fill_(3.21)
    bundle.save(tmp_path / "new" / "folder")
    loaded = CLIPBundle.load(str(tmp_path / "new" / "folder"))
    assert all(map(torch.equal, embeds(loaded, pictures), embeds(bundle, pictures)))
    assert loaded.model.logit_scale == bundle.model.logit_scale and not loaded.model.training
    assert loaded.digest() == bundle.digest() and is_bundle(tmp_path / "new" / "folder")


def test_the_embedded_model(pictures) -> None:
    bundle = CLIPBundle.load(ASSETS / "image_text")
    tokens = bundle.tokens(["一叶小舟", "a boat", "  "])
    assert tokens["attention_mask"].sum(1).tolist() == [4, 2, 1]  # never a row without tokens
    with torch.inference_mode():
        images, texts = bundle.model(bundle.pixels(pictures[:3]), **tokens)
    assert images.shape == texts.shape == (3, bundle.config.dim)
    assert images.norm(dim=-1) == pytest.approx(np.ones(3), abs=1e-4)


def test_load_with_changes(bundle_folder, pictures) -> None:
    bundle = CLIPBundle.load(bundle_folder, image_size=48, pooling="cls", dropout=0.5)
    assert bundle.config.image_size == 48 and bundle.pixels(pictures).shape == (5, 3, 48, 48)
    assert bundle.model.text.pool is POOLING["cls"] and bundle.model.image.head.dropout.p == 0.5
    assert bundle.config.dim == 32 and CLIPBundle.load(bundle_folder).config.image_size == 32


def test_not_a_folder_of_ours(distilbert_folder, tmp_path) -> None:
    for folder in (tmp_path, tmp_path / "missing", distilbert_folder):
        with pytest.raises(ValueError) as error:
            CLIPBundle.load(folder)
        assert one_line(error, folder, "config.json")


@pytest.mark.parametrize("change", [{"pooling": "maximum"}, {"text_config": None}])
def test_a_config_that_describes_no_model(change: dict, bundle_folder, tmp_path) -> None:
    folder = shutil.copytree(bundle_folder, tmp_path / "copy")
    config = json.loads((folder / "config.json").read_text()) | change
    (folder / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None}))
    with pytest.raises(ValueError) as error:
        CLIPBundle.load(folder)
    assert one_line(error)


def test_a_folder_without_weights(bundle_folder, tmp_path) -> None:
    folder = shutil.copytree(bundle_folder, tmp_path / "copy")
    (folder / "model.safetensors").unlink()
    with pytest.raises((ValueError, OSError), match="model.safetensors"):
        CLIPBundle.load(folder)


# --- pretrained backbones ---


def test_from_backbones(resnet_file, distilbert_folder, pictures) -> None:
    bundle = CLIPBundle.from_backbones(resnet_file, distilbert_folder, dim=16, image_size=32, pooling="cls")
    image = load_file(resnet_file)
    ours = bundle.model.image.backbone.state_dict()
    assert set(image) - set(ours) == {"fc.weight", "fc.bias"} and all(torch.equal(ours[k], image[k]) for k in ours)
    text = DistilBertModel.from_pretrained(distilbert_folder)
    assert weights_digest(bundle.model.text.backbone) == weights_digest(text)
    expected = AutoTokenizer.from_pretrained(distilbert_folder)(TEXTS, padding=True, return_tensors="pt")
    tokens = bundle.tokens(TEXTS)
    assert torch.equal(tokens["input_ids"], expected["input_ids"]) and tokens["input_ids"][0, 0] == 2  # [CLS]
    with torch.inference_mode():
        theirs = text.eval()(**tokens).last_hidden_state[:, 0]
        assert torch.allclose(bundle.model.text.features(**tokens), theirs, atol=1e-5)
    assert [x.shape for x in embeds(bundle, pictures[:3])] == [(3, 16), (3, 16)]
    assert bundle.config.image_mean == IMAGENET_MEAN and not bundle.model.training


def test_from_a_folder_of_ours(bundle, bundle_folder, distilbert_folder, resnet_file) -> None:
    both = CLIPBundle.from_backbones(bundle_folder, bundle_folder, dim=24)
    assert weights_digest(both.model.image.backbone) == weights_digest(bundle.model.image.backbone)
    assert weights_digest(both.model.text.backbone) == weights_digest(bundle.model.text.backbone)
    assert both.config.dim == 24 and both.model.image.head.hidden.weight.shape == (24, 24)
    assert torch.equal(both.tokens(TEXTS)["input_ids"], bundle.tokens(TEXTS)["input_ids"])
    for one in ((bundle_folder, distilbert_folder), (resnet_file, bundle_folder)):
        assert weights_digest(CLIPBundle.from_backbones(*one).model.text.backbone) == weights_digest(
            bundle.model.text.backbone
        )


def test_no_such_image_weights(distilbert_folder, tmp_path) -> None:
    with pytest.raises(ValueError) as error:
        CLIPBundle.from_backbones(tmp_path / "missing.safetensors", distilbert_folder)
    assert one_line(error, "missing.safetensors", "imagenet")


def other_network(path) -> None:
    save_file({"weight": torch.zeros(2)}, path)


def no_safetensors(path) -> None:
    path.write_bytes(b"not safetensors")


@pytest.mark.parametrize("write", [other_network, no_safetensors])
def test_image_weights_that_do_not_fit(write, distilbert_folder, tmp_path) -> None:
    write(tmp_path / "other.safetensors")
    with pytest.raises((ValueError, OSError)) as error:
        CLIPBundle.from_backbones(tmp_path / "other.safetensors", distilbert_folder)
    assert one_line(error, "other.safetensors")


def test_no_such_text_model(resnet_file, tmp_path) -> None:
    with pytest.raises((ValueError, OSError), match="no_such_folder"):
        CLIPBundle.from_backbones(resnet_file, tmp_path / "no_such_folder")


# --- digests, pictures, texts ---


def test_digest(bundle, bundle_folder) -> None:
    keys = [bundle.digest(), CLIPBundle.load(bundle_folder).digest()]
    assert keys[0] == keys[1]
    for tensor in (bundle.model.text.head.norm.bias, bundle.model.logit_scale, bundle.model.image.backbone.bn1.weight):
        with torch.no_grad():
            tensor.view(-1)[0] += 1e-3
        keys.append(bundle.digest())
    keys.append(CLIPBundle.load(bundle_folder, max_tokens=7).digest())
    assert len(set(keys)) == 5


def test_pixels_are_normalised(bundle, pictures) -> None:
    pixels = bundle.pixels(pictures)
    assert pixels.shape == (5, 3, 32, 32) and pixels.is_contiguous(memory_format=torch.channels_last)
    r, g, b = np.asarray(squash(pictures[2], 32))[5, 7] / 255
    expected = [(r - 0.485) / 0.229, (g - 0.456) / 0.224, (b - 0.406) / 0.225]
    assert pixels[2, :, 5, 7].tolist() == pytest.approx(expected, abs=1e-5)


def test_long_texts_are_cut(bundle) -> None:
    tokens = bundle.tokens(["red " * 50, "red"])
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
def test_a_tower_pools_as_it_is_told(pooling: str, bundle_folder) -> None:
    bundle = CLIPBundle.load(bundle_folder, pooling=pooling)
    tokens = bundle.tokens(TEXTS)
    with torch.inference_mode():
        states = bundle.model.text.backbone(**tokens, output_hidden_states=True).hidden_states
        assert len(states) == 4  # the embeddings and three layers
        expected = POOLING[pooling](states, tokens["attention_mask"])
        assert torch.allclose(bundle.model.text.features(**tokens), expected, atol=1e-6)


def test_batch_norm_keeps_its_statistics_and_learns_its_weights(bundle, pictures) -> None:
    tower = bundle.model.train().image
    norms = [module for module in tower.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    before = {name: buffer.clone() for name, buffer in tower.named_buffers()}
    tower(bundle.pixels(pictures)).sum().backward()
    assert len(norms) == 36 and not any(module.training for module in norms)
    assert tower.head.dropout.training and bundle.model.text.backbone.training
    assert all(torch.equal(buffer, before[name]) for name, buffer in tower.named_buffers())
    assert all(p.requires_grad and p.grad is not None for p in tower.parameters())
    assert norms[0].weight.grad.abs().sum() > 0
    assert not tower.eval().training and not tower.head.dropout.training


def test_config_defaults() -> None:
    config = CLIPConfig(text_config={})
    assert (config.dim, config.pooling, config.image_size, config.max_tokens) == (512, "mean", 128, 40)
