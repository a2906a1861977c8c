"""chinese_clip.encoder: both kinds of model in tiny folders laid out as the real ones, and the cache of texts."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F
from transformers import (
    BertTokenizer,
    ChineseCLIPConfig,
    ChineseCLIPImageProcessor,
    ChineseCLIPModel,
    ChineseCLIPProcessor,
    DistilBertConfig,
)

from helpers.chinese_clip import ImageTextEncoder, load_image_text_model, projected
from helpers.clip import (
    CustomCLIP,
    CustomCLIPConfig,
    ImageTextProcessor,
    SquashImageProcessor,
    TorchvisionConfig,
    bilingual_tokenizer,
    is_custom_clip,
    save_clip,
)
from helpers.storage import INT8_WEIGHTS

TEXTS = ["明月", "春江花月夜", "雨", "一叶小舟在江上", "山"]
CHARACTERS = sorted(set("".join(TEXTS)))


def load(folder, dtype: torch.dtype = torch.float32, **options: object) -> ImageTextEncoder:
    """In full precision, whatever this machine is best at, so that equal means equal."""
    return ImageTextEncoder.from_pretrained(folder, "cpu", dtype=dtype, **options)


@pytest.fixture(scope="module")
def chinese_folder(tmp_path_factory):
    """As OFA-Sys/chinese-clip-vit-base-patch16 lies on the hub."""
    folder = tmp_path_factory.mktemp("chinese_clip")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *CHARACTERS]
    (folder / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    size = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    torch.manual_seed(0)
    config = ChineseCLIPConfig(
        text_config={**size, "vocab_size": len(vocabulary)},
        vision_config={**size, "image_size": 32, "patch_size": 16},
        projection_dim=12,
    )
    model = ChineseCLIPModel(config)
    with torch.no_grad():
        for weight in model.parameters():
            weight *= 10 if weight.ndim > 1 else 1  # else all inputs end in nearly the same place
    model.save_pretrained(folder)
    square = {"height": 32, "width": 32}
    images = ChineseCLIPImageProcessor(size=square, crop_size=square)
    ChineseCLIPProcessor(images, BertTokenizer(str(folder / "vocab.txt"))).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def mini_folder(tmp_path_factory):
    """As recipes.backbones.export writes it."""
    folder = tmp_path_factory.mktemp("image_text")
    tokenizer = bilingual_tokenizer([*TEXTS, "a boat on the river"], vocab_size=80, min_frequency=1)
    text = DistilBertConfig(
        vocab_size=len(tokenizer), dim=16, n_layers=1, n_heads=2, hidden_dim=32, max_position_embeddings=16
    )
    torch.manual_seed(0)
    model = CustomCLIP(CustomCLIPConfig(TorchvisionConfig(), text, dim=8))
    images = SquashImageProcessor(32, image_mean=[0.5, 0.4, 0.3], image_std=[0.2, 0.3, 0.25])
    save_clip(model, ImageTextProcessor(images, tokenizer, max_length=8), folder, quantized=True)
    return folder


@pytest.fixture(params=["chinese", "mini"])
def folder(request):
    return request.getfixturevalue(f"{request.param}_folder")


@pytest.fixture
def encoder(folder) -> ImageTextEncoder:
    return load(folder)


def test_projected() -> None:
    embeds = torch.randn(2, 3)
    assert projected(embeds) is embeds
    assert projected(SimpleNamespace(pooler_output=embeds, last_hidden_state=None)) is embeds


def test_the_folder_tells_the_model(chinese_folder, mini_folder, tmp_path) -> None:
    assert is_custom_clip(mini_folder) and is_custom_clip(str(mini_folder))
    for name in (chinese_folder, tmp_path, "OFA-Sys/no-such-model"):
        assert not is_custom_clip(name)
    assert type(load(mini_folder).model) is CustomCLIP
    assert type(load(str(chinese_folder)).model) is ChineseCLIPModel


def test_a_folder_of_another_model(distilbert_folder, tmp_path) -> None:
    """Its weights would be left out, and random ones drawn."""
    for folder, mention in ((distilbert_folder, "distilbert"), (tmp_path, "neither"), (tmp_path / "none", "neither")):
        with pytest.raises(ValueError, match=mention) as error:
            load(folder)
        assert "\n" not in str(error.value) and str(folder) in str(error.value)


def test_what_it_says_of_itself(encoder) -> None:
    assert encoder.dim == len(encoder.encode_texts(["山"])[0]) and encoder.device == "cpu"
    assert encoder.logit_scale == pytest.approx(encoder.model.logit_scale.exp().item())
    assert not encoder.model.training and {p.dtype for p in encoder.model.parameters()} == {torch.float32}


def test_shapes_and_norm(encoder, pictures) -> None:
    for embeds in (encoder.encode_images(pictures), encoder.encode_texts(TEXTS)):
        assert embeds.shape == (5, encoder.dim) and embeds.dtype == np.float32
        assert np.linalg.norm(embeds, axis=1) == pytest.approx(np.ones(5), abs=1e-5)
        assert np.abs(embeds - embeds[0]).max(1)[1:].min() > 0.01  # each its own


def test_nothing_in_nothing_out(encoder) -> None:
    shape = (0, encoder.dim)
    assert encoder.encode_images([]).shape == encoder.encode_texts([]).shape == shape
    assert encoder.encode_texts([], cache=True).shape == encoder.encode_texts([], cache=True).shape == shape


def test_the_batch_does_not_show(folder, pictures) -> None:
    """Neither its size nor the padding that a longer neighbour brings."""
    whole, pairs, single = (load(folder, batch_size=size) for size in (64, 2, 1))
    for encode, items in (("encode_images", pictures), ("encode_texts", TEXTS)):
        expected = getattr(single, encode)(items)
        for encoder in (whole, pairs):
            assert getattr(encoder, encode)(items) == pytest.approx(expected, abs=1e-5)
        assert getattr(whole, encode)(items[::-1])[::-1] == pytest.approx(expected, abs=1e-5)


def test_modes_other_than_rgb(encoder, pictures) -> None:
    grey = [picture.convert("L") for picture in pictures]
    expected = encoder.encode_images([picture.convert("RGB") for picture in grey])
    assert encoder.encode_images(grey) == pytest.approx(expected, abs=1e-6)


def test_texts_too_long_are_cut(encoder) -> None:
    one, other = encoder.encode_texts(["山" * 100, "山" * 400])
    assert one == pytest.approx(other, abs=1e-6)


def test_equal_to_transformers_called_directly(chinese_folder, pictures) -> None:
    encoder = load(chinese_folder)
    model = ChineseCLIPModel.from_pretrained(chinese_folder).eval()
    processor = ChineseCLIPProcessor.from_pretrained(chinese_folder)
    assert processor.tokenizer.unk_token_id not in processor.tokenizer(TEXTS[1])["input_ids"]
    with torch.inference_mode():
        for picture, embed in zip(pictures, encoder.encode_images(pictures), strict=True):
            pooled = model.vision_model(processor(images=picture, return_tensors="pt")["pixel_values"]).pooler_output
            direct = F.normalize(model.visual_projection(pooled), dim=-1)
            assert embed == pytest.approx(direct[0].numpy(), abs=1e-5)
        for text, embed in zip(TEXTS, encoder.encode_texts(TEXTS), strict=True):
            hidden = model.text_model(**processor(text=text, return_tensors="pt")).last_hidden_state
            direct = F.normalize(model.text_projection(hidden[:, 0]), dim=-1)  # [CLS]
            assert embed == pytest.approx(direct[0].numpy(), abs=1e-5)


def test_equal_to_our_towers_called_directly(mini_folder, pictures) -> None:
    encoder = load(mini_folder)
    model, tokenizer = encoder.model, encoder.processor.tokenizer
    assert not model.training
    with torch.inference_mode():
        for picture, embed in zip(pictures, encoder.encode_images(pictures), strict=True):
            pixels = np.asarray(picture.resize((32, 32), 2, reducing_gap=3), dtype=np.float32) / 255  # 2 is bilinear
            pixels = (pixels - np.float32([0.5, 0.4, 0.3])) / np.float32([0.2, 0.3, 0.25])
            mirrored = pixels[:, ::-1].copy()
            views = [model.image(torch.from_numpy(v.transpose(2, 0, 1).copy())[None]) for v in (pixels, mirrored)]
            direct = F.normalize(views[0] + views[1], dim=-1)  # the picture and its mirror image
            assert embed == pytest.approx(direct[0].numpy(), abs=1e-5)
        for text, embed in zip(TEXTS, encoder.encode_texts(TEXTS), strict=True):
            ids = tokenizer(text, return_tensors="pt")["input_ids"]
            direct = model.text(ids, torch.ones_like(ids))
            assert embed == pytest.approx(direct[0].numpy(), abs=1e-5)


@pytest.mark.parametrize("name", ["chinese_folder", "mini_folder"])
def test_bfloat16_is_close(name: str, request, pictures) -> None:
    """The number format that a new processor gets."""
    folder = request.getfixturevalue(name)
    full, half = load(folder), load(folder, torch.bfloat16)
    for encode, items in (("encode_images", pictures), ("encode_texts", TEXTS)):
        ours, expected = getattr(half, encode)(items), getattr(full, encode)(items)
        assert (ours * expected).sum(1).min() > 0.99 and ours.dtype == np.float32
        assert not np.array_equal(ours, expected)
    assert half.fingerprint != full.fingerprint


@pytest.mark.parametrize("name", ["chinese_folder", "mini_folder"])
def test_weights_cast_once_give_what_autocast_gives(name: str, request, pictures) -> None:
    folder = request.getfixturevalue(name)
    once = load(folder, torch.bfloat16)
    every_time = ImageTextEncoder(*load_image_text_model(folder), "cpu", torch.bfloat16)
    assert {weights.dtype for weights in once.model.parameters()} == {torch.bfloat16, torch.float32}
    assert {weights.dtype for weights in every_time.model.parameters()} == {torch.float32}
    assert np.array_equal(once.encode_images(pictures), every_time.encode_images(pictures))
    assert np.array_equal(once.encode_texts(TEXTS), every_time.encode_texts(TEXTS))


# --- the cache of texts ---


def refuse(**tokens):
    raise AssertionError("computed again")


def test_texts_are_computed_once(encoder, folder, monkeypatch) -> None:
    embeds = encoder.encode_texts(TEXTS, cache=True)
    assert embeds == pytest.approx(encoder.encode_texts(TEXTS), abs=1e-6)
    other = load(folder)  # as in another process
    monkeypatch.setattr(other.model, "get_text_features", refuse)
    assert np.array_equal(other.encode_texts(TEXTS, cache=True), embeds)
    for texts, cache in ((TEXTS[::-1], True), (TEXTS[:4], True), (TEXTS, False)):
        with pytest.raises(AssertionError, match="computed again"):
            other.encode_texts(texts, cache=cache)


def test_a_damaged_cache_is_computed_again(encoder, cache) -> None:
    embeds = encoder.encode_texts(TEXTS, cache=True)
    (file,) = cache.iterdir()
    file.write_bytes(file.read_bytes()[:50])
    assert np.array_equal(encoder.encode_texts(TEXTS, cache=True), embeds)


@pytest.mark.parametrize(
    "name, file, tensor",
    [
        ("chinese_folder", "model.safetensors", "text_projection.weight"),
        ("mini_folder", INT8_WEIGHTS, "text.head.norm.weight"),
    ],
)
def test_other_weights_other_key(name: str, file: str, tensor: str, request, tmp_path) -> None:
    folder = request.getfixturevalue(name)
    for source in folder.iterdir():
        (tmp_path / source.name).write_bytes(source.read_bytes())
    first = load(tmp_path)
    before = first.encode_texts(TEXTS, cache=True)
    weights = load_file(tmp_path / file)
    weights[tensor] = weights[tensor].clone()
    weights[tensor][0] += 1
    save_file(weights, tmp_path / file, metadata={"format": "pt"})
    second = load(tmp_path)
    assert second.fingerprint != first.fingerprint
    after = second.encode_texts(TEXTS, cache=True)
    assert not np.array_equal(after, before) and after == pytest.approx(second.encode_texts(TEXTS), abs=1e-6)
